-- KEYS  1 stream  2 replay stream  3 state
-- ARGV  1 group  2 start ("0", "$" or an id)  3 owner ("": claims nothing)  4 mirrored checkpoint ("")
--       5 the owner's cluster ("")  6 leader "<lease>/<number>" or ""  7 owner to take over from ("")
-- returns {"owned", owner, its cluster or ""} | {"type", key, type} | {"deposed"}
--       | {"ok", created, recreated, checkpoint, last delivered id, ahead, restarted at 0,
--          where it stood if it was set back or "", life or ""}
-- uses: ids, floor, stream_end, claim
local stream, replay, state = KEYS[1], KEYS[2], KEYS[3]
local group, start, owner, mirrored = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local cluster, leader, former = ARGV[5], ARGV[6], ARGV[7]

for _, key in ipairs({stream, replay}) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'stream' then return {'type', key, kind} end
end
if is_deposed(state, leader) then return {'deposed'} end
if owner ~= '' then
  local holder = redis.call('HGET', state, 'owner')
  if holder and holder ~= owner and holder ~= former then
    return {'owned', holder, redis.call('HGET', state, 'cluster') or ''}
  end
  if holder ~= owner then redis.call('HDEL', state, 'cluster') end
  set_field(state, 'owner', owner)
  set_field(state, 'cluster', cluster)
  set_field(state, 'leader', leader)
end

-- An id as Redis itself writes it: a manifest may say "5" or "0005-0".
local function canonical(id)
  local ms, seq = string.match(id, '^0*(%d+)$'), '0'
  if not ms then ms, seq = string.match(id, '^0*(%d+)-0*(%d+)$') end
  return ms and ms .. '-' .. seq or id
end

local created, recreated, zeroed, stood = 0, 0, 0, ''
local checkpoint = redis.call('HGET', state, 'checkpoint')
-- Marks belong to one life: those of a group that was destroyed mean nothing to the next of its name.
-- What was created before lives had names goes on without one.
local life = redis.call('HGET', state, 'life')
if not life and not checkpoint then
  local time = redis.call('TIME')
  life = string.format('%x', time[1] * 1000000 + time[2])
  redis.call('HSET', state, 'life', life)
end
local generated, added = stream_end(stream, group)
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
  move_group(stream, group, from, read)
  delivered = group_bounds(stream, group)
  checkpoint = delivered
  redis.call('HSET', state, 'checkpoint', checkpoint)
elseif id_less(generated, delivered) and delivered ~= canonical(start) then
  -- The stream was replaced under its group, which would pass over every id up to where it stands.
  -- A manifest that starts the group at a later id means just that.
  stood, delivered = delivered, checkpoint or '0-0'
  if id_less(generated, delivered) then delivered, zeroed = '0-0', 1 end
  move_group(stream, group, delivered)
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
return {'ok', created, recreated, checkpoint, delivered, ahead, zeroed, stood, life or ''}
