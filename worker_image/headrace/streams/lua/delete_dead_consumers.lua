-- KEYS  1 stream  2 replay stream  3 state
-- ARGV  1 group  2.. consumers that were seen empty and silent
-- returns how many were deleted: those that still own nothing in either stream
local deleted = 0
for i = 2, #ARGV do
  local owned = 0
  for key = 1, 2 do
    owned = owned + #redis.call('XPENDING', KEYS[key], ARGV[1], '-', '+', 1, ARGV[i])
  end
  if owned == 0 then
    for key = 1, 2 do redis.call('XGROUP', 'DELCONSUMER', KEYS[key], ARGV[1], ARGV[i]) end
    redis.call('HDEL', KEYS[3], 'flush:' .. ARGV[i], 'trimmed:' .. ARGV[i])
    deleted = deleted + 1
  end
end
return deleted
