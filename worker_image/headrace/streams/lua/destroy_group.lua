-- KEYS  1 stream  2 replay stream  3 state  4.. the group's other keys
-- ARGV  1 group  2 owner  3 leader "<lease>/<number>" or ""
-- returns 1 if the group and its keys are gone, 0 if another owner holds it, -1 if a newer leader
--         writes here
-- uses: claim
if is_deposed(KEYS[3], ARGV[3]) then return -1 end
local holder = redis.call('HGET', KEYS[3], 'owner')
if holder and holder ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1]) end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
