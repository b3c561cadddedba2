-- KEYS  1 stream
-- ARGV  1 policy "Safe"|"Force"  2 max length or ""  3 max age in ms or ""
--       4 n, then n groups that must exist; the rest are groups whose needs are ignored
-- returns {removed, length, floor or "", group at the floor or "", why it stopped, more}
--   why: "" | "missing" (group named) | "nogroup" | "floor" | "noclock"; more 1: call again
-- uses: ids, reply, clock, floor
local SLICE = 100
local stream, safe = KEYS[1], ARGV[1] == 'Safe'
if redis.call('EXISTS', stream) == 0 then return {0, 0, '', '', '', 0} end
local length = redis.call('XLEN', stream)
local required = tonumber(ARGV[4])
local ignored = {}
for i = 5 + required, #ARGV do ignored[ARGV[i]] = true end

local facts = to_map(redis.call('XINFO', 'STREAM', stream))
local generated = facts['last-generated-id']
local floor, keeper, waiting, names = nil, '', false, {}
for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = to_map(row)
  names[info['name']] = true
  if not ignored[info['name']] then
    local oldest = redis.call('XPENDING', stream, info['name'], '-', '+', 1)[1]
    local delivered = info['last-delivered-id']
    local needed = floor_of(delivered, oldest and oldest[1])
    -- Ahead of its stream: what lies below it was never read, and it will be set back.
    local ahead = id_less(generated, delivered)
    if ahead then needed = '0-0' end
    if not floor or id_less(needed, floor) then
      floor, keeper = needed, info['name']
      waiting = ahead or oldest ~= nil or id_less(delivered, generated)
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

-- The oldest k entries, k <= SLICE, as far as all of them lie below the floor.
local function trim_length(max)
  local k = math.min(length - max, SLICE)
  if k <= 0 then return end
  local slice = redis.call('XRANGE', stream, '-', '+', 'COUNT', k)
  if not floor or id_less(slice[#slice][1], floor) then
    removed = removed + redis.call('XTRIM', stream, 'MAXLEN', '=', length - #slice)
    more = length - #slice > max and 1 or 0
  else
    removed = removed + redis.call('XTRIM', stream, 'MINID', '=', floor)
    hold_back()
  end
  length = redis.call('XLEN', stream)
end

-- Whole nodes older than max age; what remains of the last node goes with it later.
local function trim_age(max)
  local now = now_ms()
  local newest = tonumber(string.match(generated, '^(%d+)'))
  if newest < 1e12 or newest > now + 86400000 then
    why = 'noclock'
    return
  end
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local limit = string.format('%.0f-0', now - max)
  if not oldest or not id_less(oldest[1], limit) then return end
  if floor and id_less(floor, limit) then
    limit = floor
    hold_back()
  end
  local gone = redis.call('XTRIM', stream, 'MINID', '~', limit, 'LIMIT', 10 * SLICE)
  removed, length = removed + gone, length - gone
  if gone > 0 then more = 1 end
end

if ARGV[2] ~= '' then trim_length(tonumber(ARGV[2])) end
if ARGV[3] ~= '' and length > 0 then trim_age(tonumber(ARGV[3])) end
return {removed, length, floor or '', why ~= '' and keeper or '', why, more}
