-- KEYS  1 stream  2 dead letters  then per group: replay stream, retry, state
-- ARGV  1 most entries counted where the server gives no lag  2 the same where its lag is only an
--       upper bound  3 length of the stream in the caller's last answer or -1  then per group: name,
--       last delivered id in that answer or "", first unread id in it ("": unknown, "none")
-- returns {server ms, dead letters, facts of the stream, per group:
--          {facts of the stream's group, facts of the replay stream, facts of its group,
--           parked members, members due, ms until the next falls due or -1, owner or ""}}
--   stream: {length, entries added or -1, last generated id, first id, last id} or {} without the
--           key; an id is "" where there is none, all three where the entries are too large to look at
--   group:  {last delivered id, lag or -1, pending, parked, oldest pending id or "", first unread id
--            or "", counted unread or -1, ahead of the stream 0|1} or {} without the group
-- Bodies never leave the server. Large ones are not even looked at, but for one entry once when the
-- group stands still: only it shows whether anything is unread where the server's count may be off.
-- uses: ids, reply, clock, sizes
local PAGE, MOST_BYTES = 50, 262144
local bytes_left = MOST_BYTES

local function read_stream(key)
  if redis.call('EXISTS', key) == 0 then return {} end
  local length = redis.call('XLEN', key)
  if large_entries(key, length) then return {length, -1, '', '', ''} end
  local info = to_map(redis.call('XINFO', 'STREAM', key))
  local first, last = info['first-entry'], info['last-entry']
  return {length, info['entries-added'], info['last-generated-id'],
    first and first[1] or '', last and last[1] or ''}
end

local function first_above(key, id)
  local entry = redis.call('XRANGE', key, '(' .. id, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end

-- Count the entries above an id; -1 when there are more than cap, or their bodies are large.
local function count_above(key, id, cap)
  local counted, size, from = 0, 1, '(' .. id
  while counted <= cap and bytes_left > 0 do
    local page = redis.call('XRANGE', key, from, '+', 'COUNT', size)
    counted = counted + #page
    if #page < size then return counted <= cap and counted or -1 end
    local largest = 1
    for _, entry in ipairs(page) do
      local bytes = 0
      for _, value in ipairs(entry[2]) do bytes = bytes + #value end
      bytes_left = bytes_left - bytes
      largest = math.max(largest, bytes)
    end
    from = '(' .. page[size][1]
    size = math.max(1, math.min(PAGE, 4 * size, math.floor(bytes_left / largest)))
  end
  return -1
end

local function generated_id(key)
  return to_map(redis.call('XINFO', 'STREAM', key))['last-generated-id']
end

-- Of large entries: first unread id or "", counted unread (0 or -1), ahead of the stream.
local function look_at_large(key, stream, delivered, lag, known)
  local still = stream[1] == known.length and delivered == known.delivered
  if still and known.unread ~= '' and known.unread ~= 'none' then return known.unread, -1, 0 end
  if lag ~= 0 and not still then return '', -1, 0 end
  local unread = first_above(key, delivered)
  if unread ~= '' then return unread, -1, 0 end
  -- The server has no lag also where the newest entries were deleted.
  local suspect = lag < 0 and not (still and known.unread == 'none')
  return '', 0, suspect and id_less(generated_id(key), delivered) and 1 or 0
end

local function look(key, stream, delivered, lag)
  local first, last = stream[4], stream[5]
  local ahead = id_less(stream[3], delivered) and 1 or 0
  if last == '' or not id_less(delivered, last) then return '', -1, ahead end
  if id_less(delivered, first) then return first, -1, ahead end
  local cap, counted = tonumber(ARGV[lag < 0 and 1 or 2]), -1
  if cap > 0 and lag <= cap then counted = count_above(key, delivered, cap) end
  return first_above(key, delivered), counted, ahead
end

local function read_group(key, stream, group, known)
  if #stream == 0 then return {} end
  local info
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local candidate = to_map(row)
    if candidate['name'] == group then info = candidate end
  end
  if not info then return {} end
  local delivered, pending, lag = info['last-delivered-id'], info['pending'], info['lag'] or -1
  local parked, oldest = 0, ''
  if pending > 0 then
    oldest = redis.call('XPENDING', key, group, '-', '+', 1)[1][1]
    for _, row in ipairs(redis.call('XPENDING', key, group)[4] or {}) do
      if row[1] == 'headrace:parked' then parked = tonumber(row[2]) end
    end
  end
  local unread, counted, ahead
  if stream[3] == '' then
    unread, counted, ahead = look_at_large(key, stream, delivered, lag, known)
    local read = info['entries-read']
    if stream[2] < 0 and read and lag >= 0 then stream[2] = read + lag end
  else
    unread, counted, ahead = look(key, stream, delivered, lag)
  end
  return {delivered, lag, pending, parked, oldest, unread, counted, ahead}
end

local now = now_ms()
local stream = read_stream(KEYS[1])
local dead = redis.call('EXISTS', KEYS[2]) == 1 and redis.call('XLEN', KEYS[2]) or 0
local reply = {string.format('%.0f', now), dead, stream}
local key = 3
for i = 4, #ARGV, 3 do
  local replay, retry, state, group = KEYS[key], KEYS[key + 1], KEYS[key + 2], ARGV[i]
  key = key + 3
  local known = {length = tonumber(ARGV[3]), delivered = ARGV[i + 1], unread = ARGV[i + 2]}
  local replay_stream = read_stream(replay)
  local due, wait = 0, -1
  local parked = redis.call('ZCARD', retry)
  if parked > 0 then
    due = redis.call('ZCOUNT', retry, '-inf', string.format('%.0f', now))
    local later = redis.call('ZRANGEBYSCORE', retry, '(' .. string.format('%.0f', now), '+inf',
      'WITHSCORES', 'LIMIT', 0, 1)
    if later[2] then wait = math.ceil(tonumber(later[2]) - now) end
  end
  -- Settled replays are deleted: whatever is in a replay stream is unread or pending.
  reply[#reply + 1] = {read_group(KEYS[1], stream, group, known), replay_stream,
    read_group(replay, replay_stream, group, {}), parked, due, wait,
    redis.call('HGET', state, 'owner') or ''}
end
return reply
