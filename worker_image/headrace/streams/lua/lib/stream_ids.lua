-- Library: the ids of a stream with entries, and how many it ever took.
-- XINFO STREAM copies the oldest body and the newest, which may be a large one among small ones. With
-- FULL it copies the oldest only, but brings a row for each consumer: a microsecond.
-- uses: ids, reply
local MOST_CONSUMERS = 500

local function consumers_of(stream)
  local consumers = 0
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    consumers = consumers + to_map(row)['consumers']
  end
  return consumers
end

-- Entries added, last generated id, first id, last id; the latter two are '' without entries.
local function stream_ids(stream)
  if consumers_of(stream) > MOST_CONSUMERS then
    local info = to_map(redis.call('XINFO', 'STREAM', stream))
    local first, last = info['first-entry'], info['last-entry']
    return info['entries-added'], info['last-generated-id'],
      first and first[1] or '', last and last[1] or ''
  end
  local info = to_map(redis.call('XINFO', 'STREAM', stream, 'FULL', 'COUNT', 1))
  local first, last = info['entries'][1], info['last-generated-id']
  local added, generated = info['entries-added'], last
  if not first then return added, generated, '', '' end
  -- Where that one was deleted, only a look tells which is left.
  if not id_less(info['max-deleted-entry-id'], generated) then
    last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1][1]
  end
  return added, generated, first[1], last
end
