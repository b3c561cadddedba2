-- KEYS  1 stream  2 replay stream  3 state
-- ARGV  1 group  2 start ("0", "$" or an id)  3 owner ("": claims nothing)  4 mirrored checkpoint ("")
-- returns {"owned", owner} | {"type", key, type}
--       | {"ok", created, recreated, start id, checkpoint, last delivered id, ahead, restarted at 0,
--          where it stood if it was set back or ""}
-- uses: ids, reply, floor
local stream, replay, state = KEYS[1], KEYS[2], KEYS[3]
local group, start, owner, mirrored = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

for _, key in ipairs({stream, replay}) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'stream' then return {'type', key, kind} end
end
if owner ~= '' then
  local holder = redis.call('HGET', state, 'owner')
  if holder and holder ~= owner then return {'owned', holder} end
  if not holder then redis.call('HSET', state, 'owner', owner) end
end

local generated, added = '0-0', 0
if redis.call('EXISTS', stream) == 1 then
  local info = to_map(redis.call('XINFO', 'STREAM', stream))
  generated, added = info['last-generated-id'], info['entries-added']
end

local created, recreated, zeroed, stood = 0, 0, 0, ''
local checkpoint = redis.call('HGET', state, 'checkpoint')
local delivered, oldest = group_bounds(stream, group)
if not delivered then
  created = 1
  -- The mirror is a floor: the entry at it may have been pending, so it is read again.
  local known = checkpoint or (mirrored ~= '' and id_below(mirrored))
  local from, read = known or start, nil
  if known then
    recreated = 1
    if id_less(generated, known) then from, zeroed = '0-0', 1 end
  elseif start == '$' then
    -- The id it stands for now: a lost group must not skip what came after its first creation.
    from, read = generated, added
  end
  if read then
    redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM', 'ENTRIESREAD', read)
  else
    redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM')
  end
  delivered = group_bounds(stream, group)
  checkpoint = delivered
  redis.call('HSET', state, 'checkpoint', checkpoint)
elseif id_less(generated, delivered) and delivered ~= start and delivered ~= start .. '-0' then
  -- The stream was replaced under its group, which would pass over every id up to where it stands.
  -- A manifest that starts the group at a later id means just that.
  stood, delivered = delivered, checkpoint or '0-0'
  if id_less(generated, delivered) then delivered, zeroed = '0-0', 1 end
  redis.call('XGROUP', 'SETID', stream, group, delivered)
  checkpoint = delivered
  redis.call('HSET', state, 'checkpoint', checkpoint)
elseif not checkpoint then
  -- Somebody else made this group: should it vanish before its first commit, nothing is skipped.
  checkpoint = checkpoint_of(delivered, oldest)
  redis.call('HSET', state, 'checkpoint', checkpoint)
end
-- Settled replays are deleted, so whatever the replay stream holds is still to be done.
if not group_bounds(replay, group) then redis.call('XGROUP', 'CREATE', replay, group, '0', 'MKSTREAM') end

local ahead = id_less(generated, delivered) and 1 or 0
return {'ok', created, recreated, delivered, checkpoint, delivered, ahead, zeroed, stood}
