-- KEYS  1 dead letters  2 replay stream of the group that failed it
-- ARGV  1 letter id  2 group  3.. fields of the replay entry
-- returns id in the replay stream | {"gone"} | {"nogroup"} | {"error", reason}
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return {'gone'} end
local known = false
if redis.call('EXISTS', KEYS[2]) == 1 then
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do
    known = known or row[2] == ARGV[2]
  end
end
if not known then return {'nogroup'} end
local id = redis.pcall('XADD', KEYS[2], '*', unpack(ARGV, 3))
if type(id) == 'table' then return {'error', id.err} end
redis.call('XDEL', KEYS[1], ARGV[1])
return id
