-- KEYS  1 stream  2 replay stream  3 retry  4 failures
-- ARGV  1 group  2 consumer  3 most entries  4 most of them that have a crash behind them
-- returns {entries, trimmed, ms until the next falls due or -1, how many are parked still}
--         an entry: {source, id, delivery count, record or ""}; trimmed: {source, id}
-- Ids only: a body that passes through Lua blocks the server thirty times as long as one that does not.
-- uses: clock, record
local LOOKS = 4 -- due members looked at for each that may be taken: suspects are passed over
local streams = {m = KEYS[1], r = KEYS[2]}
local retry, failures = KEYS[3], KEYS[4]
local group, consumer, room, suspects = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local entries, trimmed, passed = {}, {}, 0

local function take(member, record)
  local source, id = string.sub(member, 1, 1), string.sub(member, 3)
  local stream = streams[source]
  redis.call('ZREM', retry, member)
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  -- No pending entry: somebody else settled it. Its member would stay first in the set for ever.
  if not row then return redis.call('HDEL', failures, member) end
  if row[2] ~= 'headrace:parked' then return end
  local count = row[4] + 1
  if not redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', count, 'JUSTID')[1] then
    redis.call('HDEL', failures, member)
    trimmed[#trimmed + 1] = {source, id}
    return
  end
  local packed = ''
  if record then
    if record.solo == 1 then
      record.solo = 0
      redis.call('HSET', failures, member, write_record(record))
    end
    packed = write_record(record)
    if record.crashes > 0 then suspects = suspects - 1 end
  end
  entries[#entries + 1] = {source, id, count, packed}
end

local until_now, looked = string.format('%.0f', now), 0
local due = redis.call('ZRANGEBYSCORE', retry, '-inf', until_now, 'LIMIT', 0, LOOKS * room)
for _, member in ipairs(due) do
  if #entries == room then break end
  looked = looked + 1
  local packed = redis.call('HGET', failures, member)
  local record = packed and read_record(packed)
  if record and record.crashes > 0 and suspects <= 0 then
    passed = passed + 1
  else
    take(member, record)
  end
end

-- When to come again: at once for what is due and was not looked at, unless that was all for others.
local wait = -1
if looked < #due or (#due == LOOKS * room and passed < looked) then
  wait = 0
else
  local later = redis.call('ZRANGEBYSCORE', retry, '(' .. until_now, '+inf', 'WITHSCORES',
    'LIMIT', 0, 1)
  if later[2] then wait = math.max(0, math.ceil(tonumber(later[2]) - now)) end
end
return {entries, trimmed, wait, redis.call('ZCARD', retry)}
