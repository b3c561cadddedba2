-- KEYS  1 source stream  2 failures
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 pod  5 most entries
-- returns {entries, trimmed}; entries as in take_due
-- uses: clock, claim_crashed
local stream, failures = KEYS[1], KEYS[2]
local group, consumer, source, pod, room = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local entries, trimmed = {}, {}
local now = now_ms()

-- <pod>-<8 hex digits>: pod "a" must not take from pod "a-b".
local function is_earlier(name)
  local tail = string.sub(name, #pod + 1)
  return string.sub(name, 1, #pod) == pod and #tail == 9 and string.match(tail, '^%-%x+$')
    and name ~= consumer
end

for _, victim in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
  if is_earlier(victim[1]) and #entries < room then
    local asked = room - #entries
    for _, row in ipairs(redis.call('XPENDING', stream, group, '-', '+', asked, victim[1])) do
      local entry = claim_crashed(stream, failures, group, consumer, source, row, now)
      if entry then entries[#entries + 1] = entry else trimmed[#trimmed + 1] = {source, row[1]} end
    end
  end
end
return {entries, trimmed}
