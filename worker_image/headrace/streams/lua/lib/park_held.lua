-- Library: park what one consumer holds, oldest first: entries idle for `min_idle` ms, at most
-- `room`. The ids of those that were lost go into `trimmed`, see park_crashed.
-- returns how many were looked at, and how many were parked
-- uses: park_crashed
local function park_held(stream, failures, retry, group, source, holder, min_idle, room, now, trimmed)
  local page = redis.call('XPENDING', stream, group, 'IDLE', min_idle, '-', '+', room, holder)
  local parked = 0
  for _, row in ipairs(page) do
    if park_crashed(stream, failures, retry, group, source, row, now) then
      parked = parked + 1
    else
      trimmed[#trimmed + 1] = row[1]
    end
  end
  return #page, parked
end
