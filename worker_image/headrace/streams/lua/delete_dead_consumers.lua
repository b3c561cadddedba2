-- KEYS  1 stream  2 replay stream  3 state
-- ARGV  1 group  2 consumer that asks  3 least idle time in ms  4 most deletions
-- returns how many consumers were deleted: empty and silent in both streams
-- Also drops flush numbers of consumers that are in neither: a process that died before its first
-- read leaves one.
-- uses: reply
local group, asking = ARGV[1], ARGV[2]
local min_idle, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local dead, busy = {}, {[asking] = true, ['headrace:parked'] = true}
for i = 1, 2 do
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[i], group)) do
    local info = to_map(row)
    dead[info['name']] = true
    if info['pending'] > 0 or info['idle'] < min_idle then busy[info['name']] = true end
  end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  local name = string.match(field, '^flush:(.*)$')
  if name and not dead[name] and name ~= asking then redis.call('HDEL', KEYS[3], field) end
end
local deleted = 0
for name in pairs(dead) do
  if not busy[name] and deleted < room then
    for i = 1, 2 do redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, name) end
    redis.call('HDEL', KEYS[3], 'flush:' .. name)
    deleted = deleted + 1
  end
end
return deleted
