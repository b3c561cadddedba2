-- KEYS  1 stream  2 replay stream  3 retry
-- ARGV  1 group  2 id after which an earlier call stopped in the stream ("": from the start)
--       3 the same in the replay stream
-- returns {id to go on after in the stream or "", the same in the replay stream}
-- What is parked without a due time (its set was lost) would wait for ever: it is due now.
-- uses: clock
local PAGE = 500
local group, retry = ARGV[1], KEYS[3]
local now = string.format('%.0f', now_ms())

local function parked_in(stream)
  for _, row in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
    if row[1] == 'headrace:parked' then return tonumber(row[2]) end
  end
  return 0
end

if redis.call('ZCARD', retry) >= parked_in(KEYS[1]) + parked_in(KEYS[2]) then return {'', ''} end

local function adopt(stream, source, after)
  local from = after == '' and '-' or '(' .. after
  local page = redis.call('XPENDING', stream, group, from, '+', PAGE, 'headrace:parked')
  for _, row in ipairs(page) do redis.call('ZADD', retry, 'NX', now, source .. ':' .. row[1]) end
  return #page == PAGE and page[PAGE][1] or ''
end
return {adopt(KEYS[1], 'm', ARGV[2]), adopt(KEYS[2], 'r', ARGV[3])}
