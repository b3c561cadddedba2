-- KEYS  1 state
-- ARGV  1 owner  2 leader "<lease>/<number>" or ""
-- returns 1 if the owner's claim was given up, 0 if it has none, -1 if a newer leader writes here
-- uses: claim
if is_deposed(KEYS[1], ARGV[2]) then return -1 end
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'cluster')
return 1
