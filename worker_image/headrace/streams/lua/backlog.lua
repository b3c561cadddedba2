-- KEYS  1 stream  2 dead letters  then per group: replay stream, retry
-- ARGV  1 most entries counted where the server gives no lag  2 the same where its lag is only an
--       upper bound  3.. groups
-- returns {server ms, dead letters, facts of the stream, per group:
--          {facts of the stream's group, facts of the replay stream, facts of its group,
--           parked members, members due, ms until the next falls due or -1}}
--   stream: {length, entries added, last generated id, first id or "", last id or "",
--            max deleted id} or {} without the key
--   group:  {last delivered id, entries read or -1, lag or -1, pending, parked, oldest pending id
--            or "", first unread id or "", counted unread or -1} or {} without the group
-- Ids and numbers only: bodies never leave the server.
-- uses: ids, reply, clock
local PAGE, MOST_BYTES = 50, 1048576

local function read_stream(key)
  if redis.call('EXISTS', key) == 0 then return {} end
  local info = to_map(redis.call('XINFO', 'STREAM', key))
  local first, last = info['first-entry'], info['last-entry']
  return {info['length'], info['entries-added'], info['last-generated-id'],
    first and first[1] or '', last and last[1] or '', info['max-deleted-entry-id']}
end

-- Count the entries above an id; -1 when there are more than cap, or their bodies are large.
local function count_above(key, id, cap)
  local counted, bytes, from = 0, 0, '(' .. id
  while counted <= cap and bytes < MOST_BYTES do
    local page = redis.call('XRANGE', key, from, '+', 'COUNT', PAGE)
    counted = counted + #page
    if #page < PAGE then return counted <= cap and counted or -1 end
    for _, value in ipairs(page[1][2]) do bytes = bytes + #value * PAGE end
    from = '(' .. page[PAGE][1]
  end
  return -1
end

local function read_group(key, stream, group)
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
  local unread, counted = '', -1
  local first, last = stream[4], stream[5]
  if last ~= '' and id_less(delivered, last) then
    if id_less(delivered, first) then
      unread = first
    else
      local cap = tonumber(ARGV[lag < 0 and 1 or 2])
      if cap > 0 and lag <= cap then counted = count_above(key, delivered, cap) end
      local next_one = redis.call('XRANGE', key, '(' .. delivered, '+', 'COUNT', 1)[1]
      unread = next_one and next_one[1] or ''
    end
  end
  return {delivered, info['entries-read'] or -1, lag, pending, parked, oldest, unread, counted}
end

local now = now_ms()
local stream = read_stream(KEYS[1])
local dead = redis.call('EXISTS', KEYS[2]) == 1 and redis.call('XLEN', KEYS[2]) or 0
local reply = {string.format('%.0f', now), dead, stream}
for i = 3, #ARGV do
  local at = 3 + (i - 3) * 2
  local replay, retry, group = KEYS[at], KEYS[at + 1], ARGV[i]
  local replay_stream = read_stream(replay)
  local due, wait = 0, -1
  local parked = redis.call('ZCARD', retry)
  if parked > 0 then
    due = redis.call('ZCOUNT', retry, '-inf', string.format('%.0f', now))
    local later = redis.call('ZRANGEBYSCORE', retry, '(' .. string.format('%.0f', now), '+inf',
      'WITHSCORES', 'LIMIT', 0, 1)
    if later[2] then wait = math.ceil(tonumber(later[2]) - now) end
  end
  reply[#reply + 1] = {read_group(KEYS[1], stream, group), replay_stream,
    read_group(replay, replay_stream, group), parked, due, wait}
end
return reply
