#!lua flags=allow-oom
-- KEYS  1 state
-- ARGV  1 consumer
-- returns the number of the consumer's last flush that this server knows, 0 without one. It is written
--         again as it stands, so that a WAIT on this connection speaks of it and of all before it.
local field = 'flush:' .. ARGV[1]
local kept = redis.call('HGET', KEYS[1], field)
if not kept then return 0 end
redis.call('HSET', KEYS[1], field, kept)
return tonumber(string.match(kept, '^%d+'))
