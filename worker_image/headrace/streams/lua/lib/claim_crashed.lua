-- Library: claim an entry from a consumer that fell silent, and count the crash.
-- Only one that happened while the entry ran alone counts against the entry itself.
-- returns {source, id, fields, delivery count, record}, or nil when its body was trimmed
-- uses: record
local function claim_crashed(stream, failures, group, consumer, source, row, now)
  local id, member = row[1], source .. ':' .. row[1]
  local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id)[1]
  if not claimed then
    redis.call('HDEL', failures, member)
    return nil
  end
  local record = read_record(redis.call('HGET', failures, member))
  record.crashes, record.killed = record.crashes + 1, record.killed + record.solo
  record.solo = 0
  if record.first == 0 then record.first = now - row[3] end
  local packed = write_record(record)
  redis.call('HSET', failures, member, packed)
  return {source, id, claimed[2], row[4] + 1, packed}
end
