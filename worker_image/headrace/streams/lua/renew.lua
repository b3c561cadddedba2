-- KEYS  1 source stream  2 failures
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4.. held ids
-- returns {lost ids, trimmed ids}
-- XCLAIM drops a pending entry whose body is gone: owned before and missing after = trimmed.
local stream, group, consumer, source = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local owned, from = {}, '-'
repeat
  local page = redis.call('XPENDING', stream, group, from, '+', 1000, consumer)
  for _, row in ipairs(page) do owned[row[1]] = true end
  if #page == 1000 then from = '(' .. page[1000][1] end
until #page < 1000

local mine, lost = {}, {}
for i = 4, #ARGV do
  if owned[ARGV[i]] then mine[#mine + 1] = ARGV[i] else lost[#lost + 1] = ARGV[i] end
end
local renewed = {}
for i = 1, #mine, 1000 do
  local call = {'XCLAIM', stream, group, consumer, 0}
  for j = i, math.min(i + 999, #mine) do call[#call + 1] = mine[j] end
  call[#call + 1] = 'JUSTID'
  for _, id in ipairs(redis.call(unpack(call))) do renewed[id] = true end
end
local trimmed = {}
for _, id in ipairs(mine) do
  if not renewed[id] then
    -- Nobody can find its record any more, should we die.
    redis.call('HDEL', KEYS[2], source .. ':' .. id)
    trimmed[#trimmed + 1] = id
  end
end
return {lost, trimmed}
