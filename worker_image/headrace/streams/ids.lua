-- Library: ids are compared as (ms, seq). As text "9" sorts after "10"; as doubles, numbers beyond
-- 2^53 fall together. Canonical decimal numbers order by length first, then as text.
local function number_less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function id_less(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return number_less(a_ms, b_ms) end
  return number_less(a_seq, b_seq)
end

-- Library: the flat name, value, name, value... replies of XINFO.
local function to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- Library: the server's clock in milliseconds (exact in a double until the year 287396).
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
