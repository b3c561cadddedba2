-- Library: note that the process which had an entry fell silent; row is the entry's in the PEL.
-- Only a crash while the entry ran alone counts against the entry itself.
-- returns the packed record
-- uses: record
local function count_crash(failures, member, row, now)
  local record = read_record(redis.call('HGET', failures, member))
  record.crashes, record.killed = record.crashes + 1, record.killed + record.solo
  record.solo = 0
  if record.first == 0 then record.first = now - row[3] end
  local packed = write_record(record)
  redis.call('HSET', failures, member, packed)
  return packed
end
