-- KEYS  1 source stream  2 failures  3 state
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 whether all earlier calls were answered 1|0
--       5.. held ids
-- returns {lost ids, trimmed ids}
-- XCLAIM drops a pending entry whose body is gone: owned before and missing after = trimmed. That
-- shows once, so it is remembered until an answer is known to have come.
-- uses: primary
local stream, state, group, consumer, source = KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3]
local field, told = 'trimmed:' .. consumer, {}
must_be_primary(state)
if ARGV[4] == '1' then
  redis.call('HDEL', state, field)
else
  local kept = redis.call('HGET', state, field)
  told = kept and cmsgpack.unpack(kept) or told
end
local owned, from = {}, '-'
repeat
  local page = redis.call('XPENDING', stream, group, from, '+', 1000, consumer)
  for _, row in ipairs(page) do owned[row[1]] = true end
  if #page == 1000 then from = '(' .. page[1000][1] end
until #page < 1000

local mine, lost, trimmed, found = {}, {}, {}, false
for i = 5, #ARGV do
  local id = ARGV[i]
  if owned[id] then
    mine[#mine + 1] = id
  elseif told[source .. ':' .. id] then
    trimmed[#trimmed + 1] = id
  else
    lost[#lost + 1] = id
  end
end
local renewed = {}
for i = 1, #mine, 1000 do
  local call = {'XCLAIM', stream, group, consumer, 0}
  for j = i, math.min(i + 999, #mine) do call[#call + 1] = mine[j] end
  call[#call + 1] = 'JUSTID'
  for _, id in ipairs(redis.call(unpack(call))) do renewed[id] = true end
end
for _, id in ipairs(mine) do
  if not renewed[id] then
    -- Nobody can find its record any more, should we die.
    redis.call('HDEL', KEYS[2], source .. ':' .. id)
    trimmed[#trimmed + 1] = id
    told[source .. ':' .. id], found = true, true
  end
end
if found then redis.pcall('HSET', state, field, cmsgpack.pack(told)) end
return {lost, trimmed}
