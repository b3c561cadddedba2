-- KEYS  1 source stream  2 failures  3 retry
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 pod  5 most entries
-- returns {entries parked, ids of trimmed ones}; call until nothing comes
-- Parks what earlier processes of this pod held, due now, with a crash counted.
-- uses: clock, park_held
local stream, failures, retry = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, source, pod, room = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now, parked, trimmed = now_ms(), 0, {}

-- <pod>-<8 hex digits>: pod "a" must not take from pod "a-b".
local function is_earlier(name)
  local tail = string.sub(name, #pod + 1)
  return string.sub(name, 1, #pod) == pod and #tail == 9 and string.match(tail, '^%-%x+$')
    and name ~= consumer
end

for _, victim in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
  if is_earlier(victim[1]) and room > 0 then
    local looked, done = park_held(
      stream, failures, retry, group, source, victim[1], 0, room, now, trimmed)
    room, parked = room - looked, parked + done
  end
end
return {parked, trimmed}
