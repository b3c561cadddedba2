-- KEYS  1 source stream  2 retry  3 failures
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 "these" | "begun" | "unheld"
--       these, begun: 5.. pairs of id, delivery count
--       unheld: 5 least idle time in ms  6.. ids that are held
-- returns how many were given to the parked consumer, due now; as if never delivered, but for those
-- begun, whose delivery counts, and those unheld for a while, whose reply may still come
-- uses: clock, primary
local stream, retry, failures = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, source = ARGV[1], ARGV[2], ARGV[3]
local now = string.format('%.0f', now_ms())
local counted = ARGV[4] == 'begun' or (ARGV[4] == 'unheld' and tonumber(ARGV[5]) > 0)
local uncounted = counted and 0 or 1
local given = 0
must_be_primary(failures)

local function give(id, count)
  local member = source .. ':' .. id
  local moved = redis.call('XCLAIM', stream, group, 'headrace:parked', 0, id,
    'RETRYCOUNT', math.max(0, count - uncounted), 'JUSTID')
  if #moved == 0 then return redis.call('HDEL', failures, member) end
  redis.call('ZADD', retry, now, member)
  given = given + 1
end

if ARGV[4] ~= 'unheld' then
  for i = 5, #ARGV, 2 do
    local row = redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1)[1]
    if row and row[2] == consumer and row[4] == tonumber(ARGV[i + 1]) then give(ARGV[i], row[4]) end
  end
  return given
end

local held = {}
for i = 6, #ARGV do held[ARGV[i]] = true end
local from = '-'
repeat
  local page = redis.call('XPENDING', stream, group, 'IDLE', ARGV[5], from, '+', 1000, consumer)
  for _, row in ipairs(page) do
    if not held[row[1]] then give(row[1], row[4]) end
  end
  if #page == 1000 then from = '(' .. page[1000][1] end
until #page < 1000
return given
