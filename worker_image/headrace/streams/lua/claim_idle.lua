-- KEYS  1 source stream  2 failures  3 retry
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 least idle time in ms  5 most entries
--       6 consumer and 7 id where an earlier call stopped ("": from the start)
-- returns {entries, trimmed, consumer to go on with or "", id}; entries as in take_due
-- uses: clock, claim_crashed
local stream, failures, retry = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, source = ARGV[1], ARGV[2], ARGV[3]
local min_idle, room = ARGV[4], tonumber(ARGV[5])
local entries, trimmed = {}, {}
local now = now_ms()

-- What is parked without a due time (its set was lost) would wait for ever: it is due now.
local function adopt_parked(page)
  for _, row in ipairs(page) do
    redis.call('ZADD', retry, 'NX', string.format('%.0f', now), source .. ':' .. row[1])
  end
end

local names = {}
for _, row in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
  names[#names + 1] = row[1]
end

local i, from = 1, '-'
for n, name in ipairs(names) do
  if name == ARGV[6] then i, from = n, ARGV[7] end
end

local pages = 16
while i <= #names and #entries < room and pages > 0 do
  local name, page, asked = names[i], {}, room - #entries
  pages = pages - 1
  if name == 'headrace:parked' then
    asked = 100
    page = redis.call('XPENDING', stream, group, from, '+', asked, name)
    adopt_parked(page)
  elseif name ~= consumer then
    page = redis.call('XPENDING', stream, group, 'IDLE', min_idle, from, '+', asked, name)
    for _, row in ipairs(page) do
      local entry = claim_crashed(stream, failures, group, consumer, source, row, now)
      if entry then entries[#entries + 1] = entry else trimmed[#trimmed + 1] = {source, row[1]} end
    end
  end
  if #page < asked then i, from = i + 1, '-' else from = '(' .. page[#page][1] end
end

if i > #names then return {entries, trimmed, '', ''} end
return {entries, trimmed, names[i], from}
