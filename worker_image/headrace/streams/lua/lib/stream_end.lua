-- Library: where a stream ends (the last id it gave out, how many entries it ever took; nil where
-- that is not known), and moving a group. XINFO STREAM tells it and copies bodies: where they are
-- large, our own group is moved to the end and asked. Nobody sees it, as the script ends before.
-- uses: reply, sizes, stream_ids
local function group_row(stream, group)
  if redis.call('EXISTS', stream) == 0 then return nil end
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = to_map(row)
    if info['name'] == group then return info end
  end
end

local function move_group(stream, group, id, entries_read)
  local verb = group_row(stream, group) and 'SETID' or 'CREATE'
  local call = {'XGROUP', verb, stream, group, id}
  if verb == 'CREATE' then call[#call + 1] = 'MKSTREAM' end
  if entries_read then call[#call + 1], call[#call + 2] = 'ENTRIESREAD', entries_read end
  redis.call(unpack(call))
end

local function stream_end(stream, group)
  local length = redis.call('XLEN', stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0', 0 end
  if not large_entries(stream, length) then
    local added, generated = stream_ids(stream)
    return generated, added
  end
  local before = group_row(stream, group)
  -- With a lag it is not ahead, and nobody asks for more.
  if before and before['lag'] then return before['last-delivered-id'], nil end
  move_group(stream, group, '$', 0)
  local at_end = group_row(stream, group)
  if before then
    move_group(stream, group, before['last-delivered-id'], before['entries-read'])
  else
    redis.call('XGROUP', 'DESTROY', stream, group)
  end
  local added = at_end['lag']
  return at_end['last-delivered-id'], added and added >= length and added or nil
end
