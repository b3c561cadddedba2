-- KEYS  1 stream
-- ARGV  1 policy "Safe"|"Force"  2 max length or ""  3 max age in ms or ""
--       4 n, then n groups that must exist; the rest are groups whose needs are ignored
-- returns {removed, length, floor or "", group at the floor or "", why it stopped, more}
--   why: "" | "missing" (group named) | "nogroup" | "floor" | "noclock"; more 1: call again
-- Entries are looked at only where they are small: a slice of large ones goes node by node, and such
-- a node holds one entry.
-- uses: ids, reply, clock, floor, sizes
local SLICE, MOST_BYTES, FREED_BYTES = 100, 65536, 2097152
local stream, safe = KEYS[1], ARGV[1] == 'Safe'
if redis.call('EXISTS', stream) == 0 then return {0, 0, '', '', '', 0} end
local length = redis.call('XLEN', stream)
local required = tonumber(ARGV[4])
local ignored = {}
for i = 5 + required, #ARGV do ignored[ARGV[i]] = true end

local large = large_entries(stream, length)
local slice = large and math.max(1, math.floor(FREED_BYTES / large)) or SLICE -- to free takes time, too
local generated = not large and to_map(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
-- The same of a stream of large entries, where only a look at two of them can tell.
local function generated_id()
  generated = generated or to_map(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
  return generated
end

local function stands_ahead(delivered, lag)
  if generated then return id_less(generated, delivered) end
  if lag then return false end
  if #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1) > 0 then return false end
  return id_less(generated_id(), delivered)
end

local floor, keeper, waiting, newest, names = nil, '', false, nil, {}
for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = to_map(row)
  names[info['name']] = true
  if not ignored[info['name']] then
    local oldest = redis.call('XPENDING', stream, info['name'], '-', '+', 1)[1]
    local delivered = info['last-delivered-id']
    local needed = floor_of(delivered, oldest and oldest[1])
    -- Ahead of its stream: what lies below it was never read, and it will be set back.
    local ahead = stands_ahead(delivered, info['lag'])
    if ahead then needed = '0-0' end
    if not newest or id_less(newest, delivered) then newest = delivered end
    if not floor or id_less(needed, floor) then
      floor, keeper = needed, info['name']
      local unread = info['lag'] ~= 0
      if generated then unread = id_less(delivered, generated) end
      waiting = ahead or oldest ~= nil or unread
    end
  end
end
if safe then
  for i = 5, 4 + required do
    if not names[ARGV[i]] then return {0, length, '', ARGV[i], 'missing', 0} end
  end
  if not floor then return {0, length, '', '', 'nogroup', 0} end
else
  floor, keeper = nil, ''
end

local removed, why, more = 0, '', 0

-- A group that has handled everything holds nothing back but the entry its floor stands on.
local function hold_back()
  if waiting then why = 'floor' end
end

local function note(gone)
  removed, length = removed + gone, length - gone
  if gone > 0 then more = 1 end
end

-- How many of the oldest k entries lie below the floor, looked at one by one while they are small.
local function count_below(k)
  local counted, bytes, from = 0, 0, '-'
  while counted < k and bytes < MOST_BYTES do
    local entry = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
    if not entry then break end
    if not id_less(entry[1], floor) then return counted, true end
    counted, from = counted + 1, '(' .. entry[1]
    for _, value in ipairs(entry[2]) do bytes = bytes + #value end
  end
  return counted, false
end

-- The oldest entries beyond max, one slice of them, as far as they lie below the floor.
local function trim_length(max)
  local k = math.min(length - max, slice)
  if k <= 0 then return end
  local held = false
  if floor then
    -- Whole nodes below the floor, then what is left of the first one.
    local gone = redis.call('XTRIM', stream, 'MINID', '~', floor, 'LIMIT', k)
    if gone == 0 then
      k, held = count_below(math.min(length - max, SLICE))
      gone = k > 0 and redis.call('XTRIM', stream, 'MAXLEN', '=', length - k) or 0
    end
    note(gone)
  else
    note(redis.call('XTRIM', stream, 'MAXLEN', '=', length - k))
  end
  if length <= max then more = 0 end
  if held then
    more = 0
    hold_back()
  end
end

-- Whole nodes older than max age; what remains of the last node goes with it later.
local function trim_age(max)
  local now = now_ms()
  if large and newest and newest ~= '0-0' then generated = newest end
  local clock = tonumber(string.match(generated_id(), '^(%d+)'))
  if clock < 1e12 or clock > now + 86400000 then
    why = 'noclock'
    return
  end
  local limit = string.format('%.0f-0', now - max)
  local held = floor and id_less(floor, limit)
  if held and not large then
    held = redis.call('XRANGE', stream, floor, '(' .. limit, 'COUNT', 1)[1] ~= nil
  end
  if floor and id_less(floor, limit) then limit = floor end
  if held then hold_back() end
  local gone = redis.call('XTRIM', stream, 'MINID', '~', limit, 'LIMIT', large and slice or 10 * SLICE)
  -- A node of more entries than that holds small ones.
  if gone == 0 and large then gone = redis.call('XTRIM', stream, 'MINID', '~', limit, 'LIMIT', SLICE) end
  note(gone)
end

if ARGV[2] ~= '' then trim_length(tonumber(ARGV[2])) end
if ARGV[3] ~= '' and length > 0 then trim_age(tonumber(ARGV[3])) end
return {removed, length, floor or '', why ~= '' and keeper or '', why, more}
