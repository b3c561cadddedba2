-- KEYS  1 stream  2 replay stream  3 retry  4 failures
-- ARGV  1 group  2 consumer  3 most entries
-- returns {entries, trimmed, ms until the next falls due or -1, how many are parked still}
--         an entry: {source, id, fields, delivery count, record or ""}; trimmed: {source, id}
-- uses: clock, record
local streams = {m = KEYS[1], r = KEYS[2]}
local retry, failures = KEYS[3], KEYS[4]
local group, consumer = ARGV[1], ARGV[2]
local now = now_ms()
local entries, trimmed = {}, {}

local function take(member)
  local source, id = string.sub(member, 1, 1), string.sub(member, 3)
  local stream = streams[source]
  redis.call('ZREM', retry, member)
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  -- Settled or taken behind our back: a member left here would head the queue for ever.
  if not row then return redis.call('HDEL', failures, member) end
  if row[2] ~= 'headrace:parked' then return end
  local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id)[1]
  if not claimed then
    redis.call('HDEL', failures, member)
    trimmed[#trimmed + 1] = {source, id}
    return
  end
  local packed = redis.call('HGET', failures, member)
  if packed then
    local record = read_record(packed)
    if record.solo == 1 then
      record.solo = 0
      packed = write_record(record)
      redis.call('HSET', failures, member, packed)
    end
  end
  entries[#entries + 1] = {source, id, claimed[2], row[4] + 1, packed or ''}
end

local until_now = string.format('%.0f', now)
local due = redis.call('ZRANGEBYSCORE', retry, '-inf', until_now, 'LIMIT', 0, ARGV[3])
for _, member in ipairs(due) do take(member) end

local wait = -1
local first = redis.call('ZRANGE', retry, 0, 0, 'WITHSCORES')
if first[2] then wait = math.max(0, math.ceil(tonumber(first[2]) - now)) end
return {entries, trimmed, wait, redis.call('ZCARD', retry)}
