-- KEYS  1 source stream  2 failures
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 id  5 delivery count
-- returns 1 if marked, 0 if the entry is no longer ours
-- uses: record, primary
must_be_primary(KEYS[2])
local row = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[4], ARGV[4], 1)[1]
if not row or row[2] ~= ARGV[2] or row[4] ~= tonumber(ARGV[5]) then return 0 end
local member = ARGV[3] .. ':' .. ARGV[4]
local record = read_record(redis.call('HGET', KEYS[2], member))
record.solo = 1
redis.call('HSET', KEYS[2], member, write_record(record))
return 1
