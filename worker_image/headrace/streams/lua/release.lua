-- KEYS  1 state
-- ARGV  1 owner
-- returns 1 if the owner's claim was given up, else 0
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'owner')
return 1
