-- KEYS  1 stream  2 the producer's last batch (a string that expires)
-- ARGV  1 number of this batch  2 ms to remember it  3 max length or ""
--       n, then n x (m, m fields flat)
-- returns the entry ids, those of the first time when this number was applied before
local kept = redis.call('GET', KEYS[2])
if kept then
  local last = cmsgpack.unpack(kept)
  if last[1] == ARGV[1] then return last[2] end
end
local ids, at = {}, 4
for i = 1, tonumber(ARGV[at]) do
  local size = tonumber(ARGV[at + 1])
  local args = ARGV[3] ~= '' and {'MAXLEN', '~', ARGV[3], '*'} or {'*'}
  for j = 1, size do args[#args + 1] = ARGV[at + 1 + j] end
  ids[i] = redis.call('XADD', KEYS[1], unpack(args))
  at = at + 1 + size
end
redis.call('SET', KEYS[2], cmsgpack.pack({ARGV[1], ids}), 'PX', ARGV[2])
return ids
