-- KEYS  1 stream  2 replay stream  3 state
-- ARGV  1 group  2 consumer
-- returns 1 if the consumer is gone, 0 if it still owns entries
-- uses: primary
must_be_primary(KEYS[3])
for i = 1, 2 do
  if #redis.call('XPENDING', KEYS[i], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
end
for i = 1, 2 do redis.call('XGROUP', 'DELCONSUMER', KEYS[i], ARGV[1], ARGV[2]) end
redis.call('HDEL', KEYS[3], 'flush:' .. ARGV[2], 'trimmed:' .. ARGV[2])
return 1
