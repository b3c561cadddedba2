-- Library: the claim on a group, in its state: `owner`, the `cluster` that the owner lives in, and
-- the `leader` that wrote it last, as "<lease>/<number>": a deposed leader's number is lower.
local function is_deposed(state, leader)
  local lease, number = string.match(leader, '^(.*)/(%d+)$')
  local last = redis.call('HGET', state, 'leader')
  if not lease or not last then return false end
  local last_lease, last_number = string.match(last, '^(.*)/(%d+)$')
  return last_lease == lease and tonumber(last_number) > tonumber(number)
end

local function set_field(state, field, value)
  if value ~= '' and redis.call('HGET', state, field) ~= value then
    redis.call('HSET', state, field, value)
  end
end
