-- KEYS  1 stream
-- ARGV  1 where to begin, as XRANGE takes it  2 an id: only entries below it count  3 most counted
-- returns {counted, where to go on, 1 if there may be more}
-- Bodies never leave the server; a slice looks at a few hundred KB of them at most.
local PAGE, MOST_BYTES = 50, 262144
local from, below, most = ARGV[1], '(' .. ARGV[2], tonumber(ARGV[3])
local counted, bytes, size, largest = 0, 0, 1, 1
while counted < most and bytes < MOST_BYTES do
  local page = redis.call('XRANGE', KEYS[1], from, below, 'COUNT', math.min(size, most - counted))
  if #page == 0 then return {counted, from, 0} end
  counted, from = counted + #page, '(' .. page[#page][1]
  for _, entry in ipairs(page) do
    local weight = 0
    for _, value in ipairs(entry[2]) do weight = weight + #value end
    bytes, largest = bytes + weight, math.max(largest, weight)
  end
  size = math.max(1, math.min(PAGE, 4 * size, math.floor((MOST_BYTES - bytes) / largest)))
end
return {counted, from, 1}
