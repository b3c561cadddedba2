-- KEYS  1 source stream  2 failures
-- ARGV  1 group  2 consumer  3 source "m"|"r"  4 least idle time in ms  5 most entries
--       6 consumer where an earlier call stopped ("": from the start)  7 id after which it did
-- returns {entries, trimmed, consumer to go on with or "", id}; entries as in take_due
-- For a Custom group, whose consumers know nothing of parked entries: what they hold comes here, and
-- what is not settled stays pending here until they claim it.
-- uses: clock, count_crash
local stream, failures = KEYS[1], KEYS[2]
local group, consumer, source = ARGV[1], ARGV[2], ARGV[3]
local min_idle, room, start, after = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local entries, trimmed = {}, {}
local now, pages = now_ms(), 16

local function claim(row)
  local id, member = row[1], source .. ':' .. row[1]
  local count = row[4] + 1
  if not redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', count, 'JUSTID')[1] then
    redis.call('HDEL', failures, member)
    trimmed[#trimmed + 1] = {source, id}
    return
  end
  local packed = count_crash(failures, member, row, now)
  entries[#entries + 1] = {source, id, count, packed}
end

for _, victim in ipairs(redis.call('XPENDING', stream, group)[4] or {}) do
  local name = victim[1]
  local from = name == start and after ~= '' and '(' .. after or '-'
  while name >= start and name ~= consumer and name ~= 'headrace:parked' do
    local asked = room - #entries
    if asked <= 0 or pages == 0 then
      return {entries, trimmed, name, from == '-' and '' or string.sub(from, 2)}
    end
    pages = pages - 1
    local page = redis.call('XPENDING', stream, group, 'IDLE', min_idle, from, '+', asked, name)
    for _, row in ipairs(page) do claim(row) end
    if #page < asked then break end
    from = '(' .. page[#page][1]
  end
end
return {entries, trimmed, '', ''}
