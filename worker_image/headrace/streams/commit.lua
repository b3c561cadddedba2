-- KEYS  1 source stream  2 state  3.. only what this flush uses; ARGV names them by index
-- ARGV  1 group  2 consumer  3 flush number  4 source "m"|"r"  5 index of failures (0: unused)
--       6 index of retry (0: unused)  7 where the fence starts to look (a hint)
--       8 n, then n ids delivered once and plainly acked
--       n, then n x (id, delivery count): plainly acked, record dropped
--       n, then n settlements:
--         id, delivery count, outcome, n outputs x (an addition: key index, longest length or "", n,
--         fields...), then by outcome (a capital letter: without the fence):
--           "a" acknowledge
--           "m" mark and acknowledge: key index, window in ms, member of the first life or ""
--           "p" park: delay in ms, counts as failure 1|0, error
--           "d" dead letter: an addition
-- returns flat (id, verdict, reason) of what was refused; empty: all done
--         verdicts: 1 owned by another, 2 gone, 3 duplicate, 4 failed, 5 trimmed
local KEYS, ARGV = KEYS, ARGV -- a local is found faster than a global
local stream, state = KEYS[1], KEYS[2]
local group, consumer, number, source = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local failures, retry = KEYS[tonumber(ARGV[5])], KEYS[tonumber(ARGV[6])]
local at = 7

local function take()
  at = at + 1
  return ARGV[at]
end

-- A flush that was applied answers as it did then, and does nothing.
local flush_field = 'flush:' .. consumer
local kept = redis.call('HMGET', state, flush_field, 'checkpoint_at')
if kept[1] then
  local last, answer = string.match(kept[1], '^(%d+)(.*)$')
  if tonumber(last) == number and answer ~= '' then return cmsgpack.unpack(answer) end
  if tonumber(last) >= number then return {} end
end

-- Phase 1: what is plainly acked. The fence is (consumer, delivery count) of the PEL.
local refused = {}
local function refuse(id, verdict, reason)
  local n = #refused
  refused[n + 1], refused[n + 2], refused[n + 3] = id, verdict, reason or ''
end

local held, from, budget = {}, ARGV[7], 4
local function next_page(size)
  budget = budget - 1
  local page = redis.call('XPENDING', stream, group, from, '+', size, consumer)
  for i = 1, #page do
    local row = page[i]
    held[row[1]] = row
  end
  if #page < size then budget = 0 else from = '(' .. page[#page][1] end
end

-- The PEL row of an entry that is still ours from this very delivery; else nil, and it is refused.
-- A second value is true where nobody has it any more.
local page_size = math.min(1000, math.floor(#ARGV / 2) + 16)
local function fence(id, count)
  local row = held[id]
  while not row and budget > 0 do
    next_page(page_size)
    row = held[id]
  end
  if not row then row = redis.call('XPENDING', stream, group, id, id, 1)[1] end
  if not row then return refuse(id, 2), true end
  if row[2] ~= consumer or row[4] ~= count then return refuse(id, 1) end
  return row
end

local acks, dropped = {}, {}
local first_acks = tonumber(take())
if first_acks > 0 then page_size = first_acks end
for _ = 1, first_acks do
  local id = take()
  if fence(id, 1) then acks[#acks + 1] = id end
end
for _ = 1, tonumber(take()) do
  local id, count = take(), tonumber(take())
  local row, gone = fence(id, count)
  if row then acks[#acks + 1] = id end
  if row or gone then dropped[#dropped + 1] = source .. ':' .. id end
end

local kinds = {}
local function wrong_type(index, wanted)
  local kind = kinds[index]
  if not kind then
    kind = redis.call('TYPE', KEYS[index]).ok
    kinds[index] = kind
  end
  if kind ~= 'none' and kind ~= wanted then
    return 'WRONGTYPE ' .. KEYS[index] .. ' holds a ' .. kind .. ', not a ' .. wanted
  end
end
local failures_error = failures and wrong_type(tonumber(ARGV[5]), 'hash')
local retry_error = retry and wrong_type(tonumber(ARGV[6]), 'zset')

local function settle(ids, members)
  for i = 1, #ids, 1000 do
    local last = math.min(i + 999, #ids)
    redis.call('XACK', stream, group, unpack(ids, i, last))
    if source == 'r' then redis.call('XDEL', stream, unpack(ids, i, last)) end
  end
  for i = 1, #members, 1000 do
    redis.pcall('HDEL', failures, unpack(members, i, math.min(i + 999, #members)))
  end
end

-- They free memory, so a full server still takes them.
settle(acks, dropped)

-- Phase 2: each entry alone; what one of them cannot write stays with it.
local now = now_ms()
local written, ended, ended_members, parked = nil, {}, {}, 0

local has_records = failures and not failures_error and redis.call('EXISTS', failures) == 1
local function forget(id)
  if has_records then ended_members[#ended_members + 1] = source .. ':' .. id end
end

local function end_of(id)
  ended[#ended + 1] = id
  forget(id)
end

-- Append what stands in ARGV after `place`, and note what a later error would take back.
local MOST_FIELDS = 7000 -- unpack has a limit
local function add(place, ...)
  local key, max, first = KEYS[tonumber(ARGV[place + 1])], ARGV[place + 2], place + 4
  local last = place + 3 + tonumber(ARGV[place + 3])
  if last - first > MOST_FIELDS then return 'ERR more fields than a script can pass on' end
  local id
  if ... then
    local fields = {...}
    for i = first, last do fields[#fields + 1] = ARGV[i] end
    id = redis.pcall('XADD', key, 'MAXLEN', '~', max, '*', unpack(fields))
  elseif max ~= '' then
    id = redis.pcall('XADD', key, 'MAXLEN', '~', max, '*', unpack(ARGV, first, last))
  else
    id = redis.pcall('XADD', key, '*', unpack(ARGV, first, last))
  end
  if type(id) == 'table' then return id.err end
  written[#written + 1], written[#written + 2] = key, id
end

local function bury(id, count, row, place)
  local record = read_record(redis.call('HGET', failures, source .. ':' .. id))
  local seen = record.first
  if seen == 0 then seen = now - (row and row[3] or 0) end
  return add(place, 'consumer', consumer, 'attempts', count, 'crashes', tostring(record.crashes),
    'first_seen', string.format('%.0f', seen), 'dead_at', string.format('%.0f', now))
end

-- Mark the event as handled by this entry: whether the mark is new, and whose it is, if another
-- entry's; or an error. A replayed entry takes over the mark of its own first life.
local function mark(key, member, window, first_life)
  local by = redis.pcall('SET', key, member, 'NX', 'GET', 'PX', window)
  if not by then return true end
  if by ~= member and by ~= first_life then return false, by end
  if by == first_life then redis.pcall('SET', key, member, 'PX', window) end
  return false
end

local function park(id, row, delay, failure, reason)
  local member = source .. ':' .. id
  if not row then
    redis.pcall('HDEL', failures, member)
    return refuse(id, 5)
  end
  local moved = redis.pcall('XCLAIM', stream, group, 'headrace:parked', 0, id, 'JUSTID')
  if moved.err then return refuse(id, 4, moved.err) end
  if #moved == 0 then
    redis.pcall('HDEL', failures, member)
    return refuse(id, 5)
  end
  local due = redis.pcall('ZADD', retry, string.format('%.0f', now + delay), member)
  if type(due) == 'table' then
    redis.pcall('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
    return refuse(id, 4, due.err)
  end
  local packed = redis.pcall('HGET', failures, member)
  if failure == 1 or packed then
    local record = read_record(packed)
    record.failures, record.solo = record.failures + failure, 0
    if record.first == 0 then record.first = now - row[3] end
    if failure == 1 then record.error = reason end
    redis.pcall('HSET', failures, member, write_record(record))
  end
  parked = parked + 1
end

-- Skip an addition; what is wrong with its key.
local function skip_addition()
  local index = tonumber(ARGV[at + 1])
  at = at + 3 + tonumber(ARGV[at + 3])
  return wrong_type(index, 'stream')
end

local function settle_one()
  local id, count, outcome, outputs = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  at = at + 4
  local err, place = failures_error, at
  for _ = 1, outputs do err = skip_addition() or err end
  local kind, after = string.lower(outcome), at
  if kind == 'd' then
    err = skip_addition() or err
  elseif kind ~= 'a' then
    at = at + 3
  end

  local row, gone
  if kind == outcome then
    row, gone = fence(id, tonumber(count))
    if gone then forget(id) end
    if not row then return end
  end
  if kind == 'p' then err = err or retry_error end
  if err then return refuse(id, 4, err) end
  if kind == 'p' then
    return park(id, row, tonumber(ARGV[after + 1]), tonumber(ARGV[after + 2]), ARGV[after + 3])
  end
  local marked
  if kind == 'm' then
    local key = KEYS[tonumber(ARGV[after + 1])]
    local fresh, by = mark(key, source .. ':' .. id, ARGV[after + 2], ARGV[after + 3])
    if type(by) == 'table' then return refuse(id, 4, by.err) end
    if by then
      end_of(id)
      return refuse(id, 3)
    end
    marked = fresh and key
  end
  if outputs > 0 or kind == 'd' then
    written = {}
    for _ = 1, outputs do
      err = err or add(place)
      place = place + 3 + tonumber(ARGV[place + 3])
    end
    if not err and kind == 'd' then err = bury(id, count, row, after) end
    if err then
      for i = 1, #written, 2 do redis.pcall('XDEL', written[i], written[i + 1]) end
      if marked then redis.pcall('DEL', marked) end
      return refuse(id, 4, err)
    end
  end
  end_of(id)
end

for _ = 1, tonumber(take()) do settle_one() end
settle(ended, ended_members)

-- What settled nothing may come again. Else remember the flush; at most once a second also where a
-- lost group restarts.
if #acks + #ended + parked == 0 then return refused end
local value = string.format('%.0f', number)
if #refused > 0 then value = value .. cmsgpack.pack(refused) end
local noted = {flush_field, value}
if source == 'm' and now - tonumber(kept[2] or 0) >= 1000 then
  local checkpoint = checkpoint_of(group_bounds(stream, group))
  if checkpoint then
    noted = {flush_field, value, 'checkpoint', checkpoint,
      'checkpoint_at', string.format('%.0f', now)}
  end
end
redis.pcall('HSET', state, unpack(noted))
return refused
