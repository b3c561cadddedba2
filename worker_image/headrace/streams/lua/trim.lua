-- KEYS  1 stream
-- ARGV  1 policy "Safe"|"Force"  2 max length or ""  3 max age in ms or ""
--       4 n, then n groups: Safe: they must exist, Force: they are waited for
--       the rest are groups whose needs are ignored
-- returns {removed, length, floor or "", group at the floor or "", why it stopped, more, destroyed}
--   why: "" | "missing" (group named) | "nogroup" | "floor" | "noclock"; more 1: call again
--   destroyed: by Force, per group that needed what was removed: name, unread, pending
-- Entries are looked at only where they are small: a slice of large ones goes node by node, and such
-- a node holds one entry.
-- uses: ids, reply, clock, floor, sizes, stream_ids
local SLICE, MOST_BYTES, FREED_BYTES, MOST_PAGES = 100, 65536, 2097152, 20
local stream, safe = KEYS[1], ARGV[1] == 'Safe'
if redis.call('EXISTS', stream) == 0 then return {0, 0, '', '', '', 0, {}} end
local length = redis.call('XLEN', stream)
local named = tonumber(ARGV[4])
local spared, ignored = {}, {}
for i = 5, 4 + named do spared[ARGV[i]] = true end
for i = 5 + named, #ARGV do ignored[ARGV[i]] = true end

local large = large_entries(stream, length)
local slice = large and math.max(1, math.floor(FREED_BYTES / large)) or SLICE -- to free takes time, too
local generated
local function generated_id()
  if not generated then generated = select(2, stream_ids(stream)) end
  return generated
end
if not large then generated_id() end -- of large entries it takes a look at one of them

local function stands_ahead(delivered, lag)
  if generated then return id_less(generated, delivered) end
  if lag then return false end
  if #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1) > 0 then return false end
  return id_less(generated_id(), delivered)
end

-- floor: of the groups that are waited for. low: of those from which Force takes, too: what lies
-- below both is harmless, and goes by whole nodes without a look.
local floor, low, keeper, waiting, newest, names, victims = nil, nil, '', false, nil, {}, {}
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
    if not low or id_less(needed, low) then low = needed end
    if not safe and not spared[info['name']] then
      victims[#victims + 1] = {
        name = info['name'], delivered = ahead and '0-0' or delivered,
        oldest = oldest and oldest[1], unread = 0, pending = 0,
      }
    elseif not floor or id_less(needed, floor) then
      floor, keeper = needed, info['name']
      local unread = info['lag'] ~= 0
      if generated then unread = id_less(delivered, generated) end
      waiting = ahead or oldest ~= nil or unread
    end
  end
end
if safe then
  for i = 5, 4 + named do
    if not names[ARGV[i]] then return {0, length, '', ARGV[i], 'missing', 0, {}} end
  end
  if not floor then return {0, length, '', '', 'nogroup', 0, {}} end
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

-- The ids of the oldest entries, at most k of them, up to the first that is not below `limit`; whether
-- there was such a one.
local function oldest_below(limit, k)
  local ids, bytes, size, largest, from = {}, 0, 1, 1, '-'
  while #ids < k and bytes < MOST_BYTES do
    local page = redis.call('XRANGE', stream, from, '+', 'COUNT', math.min(size, k - #ids))
    if #page == 0 then break end
    for _, entry in ipairs(page) do
      if limit and not id_less(entry[1], limit) then return ids, true end
      ids[#ids + 1] = entry[1]
      local weight = 0
      for _, value in ipairs(entry[2]) do weight = weight + #value end
      bytes, largest = bytes + weight, math.max(largest, weight)
    end
    from = '(' .. ids[#ids]
    size = math.max(1, math.min(4 * size, math.floor((MOST_BYTES - bytes) / largest)))
  end
  return ids, false
end

-- How many of these entries a group has in its pending list. Ids of entries that are long gone stand
-- there, too; some thousand of them are gone through.
local function count_pending(group, ids)
  local known, found, from = {}, 0, ids[1]
  for _, id in ipairs(ids) do known[id] = true end
  for _ = 1, MOST_PAGES do
    local page = redis.call('XPENDING', stream, group, from, ids[#ids], SLICE)
    for _, row in ipairs(page) do
      if known[row[1]] then found = found + 1 end
    end
    if #page < SLICE then break end
    from = '(' .. page[#page][1]
  end
  return found
end

local function note_destroyed(ids)
  for _, victim in ipairs(victims) do
    for i = #ids, 1, -1 do
      if not id_less(victim.delivered, ids[i]) then break end
      victim.unread = victim.unread + 1
    end
    if victim.oldest and not id_less(ids[#ids], victim.oldest) then
      victim.pending = victim.pending + count_pending(victim.name, ids)
    end
  end
end

-- Whole nodes of harmless entries, at most k entries of them; else the oldest one by one, `looked` of
-- them at most, as far as they lie below `limit`. Returns whether that stopped it.
local function remove(k, looked, limit)
  local gone = redis.call('XTRIM', stream, 'MINID', '~', low, 'LIMIT', k)
  if gone > 0 then
    note(gone)
    return false
  end
  local ids, stopped = oldest_below(limit, looked)
  if #ids > 0 then
    note_destroyed(ids)
    note(redis.call('XTRIM', stream, 'MAXLEN', '=', length - #ids))
  end
  return stopped
end

-- The oldest entries beyond max, one slice of them, as far as they lie below the floor.
local function trim_length(max)
  local k = math.min(length - max, slice)
  if k <= 0 then return end
  local held = false
  if low then
    held = remove(k, math.min(length - max, SLICE), floor)
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
  local most = large and slice or 10 * SLICE
  if low and id_less(low, limit) then
    remove(most, SLICE, limit)
    return
  end
  local gone = redis.call('XTRIM', stream, 'MINID', '~', limit, 'LIMIT', most)
  -- A node of more entries than that holds small ones.
  if gone == 0 and large then gone = redis.call('XTRIM', stream, 'MINID', '~', limit, 'LIMIT', SLICE) end
  note(gone)
end

if ARGV[2] ~= '' then trim_length(tonumber(ARGV[2])) end
if ARGV[3] ~= '' and length > 0 then trim_age(tonumber(ARGV[3])) end
local destroyed = {}
for _, victim in ipairs(victims) do
  if victim.unread + victim.pending > 0 then
    destroyed[#destroyed + 1] = {victim.name, victim.unread, victim.pending}
  end
end
return {removed, length, floor or '', why ~= '' and keeper or '', why, more, destroyed}
