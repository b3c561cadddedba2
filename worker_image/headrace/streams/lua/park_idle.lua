-- KEYS  1 source stream  2 failures  3 retry
-- ARGV  1 group  2 consumer that asks  3 source "m"|"r"  4 least idle time in ms  5 most entries
--       6 consumer where an earlier call stopped ("": from the start)
-- returns {entries parked, ids of trimmed ones, consumer to go on with or ""}
-- Ids only: who takes them when they fall due, now, gets the bodies.
-- uses: clock, park_held
local PAGES = 32 -- consumers looked at in a call
local stream, failures, retry = KEYS[1], KEYS[2], KEYS[3]
local group, asking, source = ARGV[1], ARGV[2], ARGV[3]
local min_idle, room, from = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now, parked, trimmed, pages = now_ms(), 0, {}, PAGES

-- Consumers come in the order of their names. One that holds nothing now is not among them, so the
-- scan goes on at the first name that is not before it.
for _, row in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
  local name = row[1]
  if name >= from and name ~= asking and name ~= 'headrace:parked' then
    if room == 0 or pages == 0 then return {parked, trimmed, name} end
    pages = pages - 1
    local looked, done = park_held(
      stream, failures, retry, group, source, name, min_idle, room, now, trimmed)
    room, parked = room - looked, parked + done
    if room == 0 then return {parked, trimmed, name} end
  end
end
return {parked, trimmed, ''}
