-- Library: the server's clock in milliseconds (exact in a double until the year 287396).
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
