-- KEYS  1 stream  2 dead letters  then per group: replay stream, retry, state
-- ARGV  1 most entries counted where the server gives no lag  2 the same where its lag is only an
--       upper bound  3, 4 length and last id of the stream in the caller's last answer, or -1 and ""
--       then per group: name, last delivered id in that answer or "", first unread id in it
--       ("": unknown, "none")
-- returns {server ms, dead letters, facts of the stream, per group:
--          {facts of the stream's group, facts of the replay stream, facts of its group,
--           parked members, members due, ms until the next falls due or -1, owner or ""}}
--   stream: {length, entries added or -1, last generated id, first id, last id} or {} without the
--           key; an id is "" where there is none, all three where the entries are too large to look at
--   group:  {last delivered id, lag or -1, pending, parked, oldest pending id or "", first unread id
--            or "", counted unread or -1, ahead of the stream 0|1} or {} without the group
-- Bodies never leave the server. Large ones are not even looked at, but for one entry once when the
-- group stands still: only it shows whether anything is unread where the server's count may be off. A
-- large one among small ones is looked at where it is the next to be read, or is counted.
-- uses: ids, reply, clock, sizes, stream_ids
local PAGE, MOST_BYTES = 50, 262144
local bytes_left = MOST_BYTES

local function read_stream(key)
  if redis.call('EXISTS', key) == 0 then return {} end
  local length = redis.call('XLEN', key)
  if large_entries(key, length) then return {length, -1, '', '', ''} end
  return {length, stream_ids(key)}
end

local function first_above(key, id)
  local entry = redis.call('XRANGE', key, '(' .. id, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end

-- Count the entries above an id; -1 when there are more than cap, or their bodies are large. The first
-- of them, where that was seen.
local function count_above(key, id, cap)
  local counted, size, from, first = 0, 1, '(' .. id, nil
  while counted <= cap and bytes_left > 0 do
    local page = redis.call('XRANGE', key, from, '+', 'COUNT', size)
    counted = counted + #page
    first = first or (page[1] and page[1][1])
    if #page < size then return counted <= cap and counted or -1, first end
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
  return -1, first
end

-- Nothing was added, removed or read since the caller's last answer.
local function stands_still(stream, delivered, known)
  return stream[1] == known.length and stream[5] == known.last and delivered == known.delivered
end

-- Of large entries: first unread id or "", counted unread (0 or -1), ahead of the stream.
local function look_at_large(key, stream, delivered, lag, known)
  local still = stands_still(stream, delivered, known)
  if still and known.unread ~= '' and known.unread ~= 'none' then return known.unread, -1, 0 end
  if lag ~= 0 and not still then return '', -1, 0 end
  local unread = first_above(key, delivered)
  if unread ~= '' then return unread, -1, 0 end
  -- The server has no lag also where the newest entries were deleted.
  if lag >= 0 or (still and known.unread == 'none') then return '', 0, 0 end
  return '', 0, id_less(select(2, stream_ids(key)), delivered) and 1 or 0
end

local function look(key, stream, delivered, lag, known)
  local first, last = stream[4], stream[5]
  local ahead = id_less(stream[3], delivered) and 1 or 0
  if last == '' or not id_less(delivered, last) then return '', -1, ahead end
  if id_less(delivered, first) then return first, -1, ahead end
  local cap, counted, unread = tonumber(ARGV[lag < 0 and 1 or 2]), -1, nil
  if cap > 0 and lag <= cap then counted, unread = count_above(key, delivered, cap) end
  if not unread and stands_still(stream, delivered, known) and known.unread ~= 'none'
    and known.unread ~= '' then
    unread = known.unread
  end
  unread = unread or first_above(key, delivered)
  return unread, unread == '' and 0 or counted, ahead
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
    unread, counted, ahead = look(key, stream, delivered, lag, known)
  end
  return {delivered, lag, pending, parked, oldest, unread, counted, ahead}
end

local now = now_ms()
local stream = read_stream(KEYS[1])
local dead = redis.call('EXISTS', KEYS[2]) == 1 and redis.call('XLEN', KEYS[2]) or 0
local reply = {string.format('%.0f', now), dead, stream}
local key = 3
for i = 5, #ARGV, 3 do
  local replay, retry, state, group = KEYS[key], KEYS[key + 1], KEYS[key + 2], ARGV[i]
  key = key + 3
  local known = {
    length = tonumber(ARGV[3]), last = ARGV[4], delivered = ARGV[i + 1], unread = ARGV[i + 2],
  }
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
