-- Library: last delivered id and oldest pending id (nil without one) of a group; nothing
-- at all without the group. Their minimum is the group's floor: nothing at or above it may be
-- trimmed.
-- uses: ids, reply
local function group_bounds(stream, group)
  local rows = redis.pcall('XINFO', 'GROUPS', stream)
  if rows.err then return nil end
  for _, row in ipairs(rows) do
    local info = to_map(row)
    if info['name'] == group then
      local oldest = redis.call('XPENDING', stream, group, '-', '+', 1)[1]
      return info['last-delivered-id'], oldest and oldest[1]
    end
  end
end

local function floor_of(delivered, oldest)
  if oldest and id_less(oldest, delivered) then return oldest end
  return delivered
end

-- Where a lost group would restart: everything pending or unread lies above it.
local function checkpoint_of(delivered, oldest)
  if not oldest then return delivered end
  local below = id_below(oldest)
  if id_less(below, delivered) then return below end
  return delivered
end
