-- KEYS  1 source stream  2 state  3.. only what this flush uses; others name them by index
-- ARGV  1 group  2 consumer  3 flush number  4 source "m"|"r"  5 index of failures (0: unused)
--       6 index of retry (0: unused)
--       7 a flat msgpack list, or "" for nothing in it. Servers spend more on taking its many small
--         parts one by one, or on tables within tables, than on reading it:
--         n, then n x (id, delivery count): plainly acked, record dropped
--         n, then n settlements:
--           id, delivery count, outcome, n outputs x (an addition: key index, longest length or "",
--           n, fields...), then by outcome (a capital letter: without the fence):
--             "a" acknowledge
--             "m" mark and acknowledge: key index, window in ms, member of the first life or ""
--             "p" park: delay in ms, counts as failure 1|0, error
--             "d" dead letter: an addition
--       8.. ids delivered once and plainly acked
-- returns flat (id, verdict, reason) of what was refused; empty: all done
--         verdicts: 1 owned by another, 2 gone, 3 duplicate, 4 failed, 5 trimmed
-- uses: ids, clock, floor, record, primary
local KEYS, ARGV = KEYS, ARGV -- a local is found faster than a global
local stream, state = KEYS[1], KEYS[2]
local group, consumer, number, source = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local failures, retry = KEYS[tonumber(ARGV[5])], KEYS[tonumber(ARGV[6])]
local FIRST_ACK = 8

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
  -- No entry's own trouble: this server became a replica. Nothing was written for any of them.
  if reason and string.sub(reason, 1, 8) == 'READONLY' then error({err = reason}) end
  local n = #refused
  refused[n + 1], refused[n + 2], refused[n + 3] = id, verdict, reason or ''
end

local LIST = ARGV[7] ~= '' and cmsgpack.unpack(ARGV[7]) or {0, 0}
local first_acks, again = #ARGV - FIRST_ACK + 1, LIST[1]
local at = 2 + 2 * again -- stands before the first settlement
local entries = first_acks + again + LIST[at]

-- Pages of our own PEL, from the first of these entries on: they mostly stand in its order. What
-- the pages miss is asked for alone.
local held, budget, from = {}, 2, ARGV[FIRST_ACK]
local function begin_at(id)
  if not from or id_less(id, from) then from = id end
end
if again > 0 then begin_at(LIST[2]) end
if LIST[at] > 0 then begin_at(LIST[at + 1]) end

local function next_page()
  budget = budget - 1
  local page = redis.call('XPENDING', stream, group, from, '+', math.min(1000, entries), consumer)
  if #page < entries then budget = 0 else from = '(' .. page[#page][1] end
  return page
end

local function hold(page)
  for i = 1, #page do
    local row = page[i]
    held[row[1]] = row
  end
end

-- The PEL row of an entry that is still ours from this very delivery; else nil, and it is refused.
-- A second value is true where nobody has it any more.
local function fence(id, count)
  local row = held[id]
  while not row and budget > 0 do
    hold(next_page())
    row = held[id]
  end
  if not row then row = redis.call('XPENDING', stream, group, id, id, 1)[1] end
  if not row then return refuse(id, 2), true end
  if row[2] ~= consumer or row[4] ~= count then return refuse(id, 1) end
  return row
end

-- Mostly the first deliveries of a flush are our oldest entries, in order.
local function all_fenced(page)
  if #page < first_acks then return false end
  for i = 1, first_acks do
    local row = page[i]
    if row[1] ~= ARGV[FIRST_ACK - 1 + i] or row[4] ~= 1 then return false end
  end
  return true
end

local acks, dropped, in_order = {}, {}, false
if first_acks > 0 then
  local page = next_page()
  in_order = all_fenced(page)
  if not in_order or #page > first_acks then hold(page) end
  if not in_order then
    for i = FIRST_ACK, #ARGV do
      if fence(ARGV[i], 1) then acks[#acks + 1] = ARGV[i] end
    end
  end
end
for i = 2, 2 * again, 2 do
  local id = LIST[i]
  local row, gone = fence(id, LIST[i + 1])
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

local settled = 0
local function ack(ids, first, last)
  redis.call('XACK', stream, group, unpack(ids, first, last))
  if source == 'r' then redis.call('XDEL', stream, unpack(ids, first, last)) end
  settled = settled + last - first + 1
end

local function settle(ids, members)
  if #ids > 0 then ack(ids, 1, #ids) end
  if #members > 0 then redis.pcall('HDEL', failures, unpack(members)) end
end

-- They free memory, so a full server still takes them.
if in_order then ack(ARGV, FIRST_ACK, #ARGV) end
settle(acks, dropped)

-- Phase 2: each entry alone; what one of them cannot write stays with it.
local now = now_ms()
local written, ended, ended_members = nil, {}, {}

local has_records = failures and not failures_error and redis.call('EXISTS', failures) == 1
local function forget(id)
  if has_records then ended_members[#ended_members + 1] = source .. ':' .. id end
end

local function end_of(id)
  ended[#ended + 1] = id
  forget(id)
end

-- Carry out the addition after `place`, and note what a later error would take back.
local MOST_FIELDS = 7000 -- unpack has a limit
local function add(place, ...)
  local key, max, first = KEYS[LIST[place + 1]], LIST[place + 2], place + 4
  local last = place + 3 + LIST[place + 3]
  if last - first > MOST_FIELDS then return 'ERR more fields than a script can pass on' end
  local id
  if ... then
    local fields = {...}
    for i = first, last do fields[#fields + 1] = LIST[i] end
    id = redis.pcall('XADD', key, 'MAXLEN', '~', max, '*', unpack(fields))
  elseif max ~= '' then
    id = redis.pcall('XADD', key, 'MAXLEN', '~', max, '*', unpack(LIST, first, last))
  else
    id = redis.pcall('XADD', key, '*', unpack(LIST, first, last))
  end
  if type(id) == 'table' then return id.err end
  written[#written + 1], written[#written + 2] = key, id
end

local function bury(id, count, row, place)
  local record = read_record(redis.call('HGET', failures, source .. ':' .. id))
  local seen = record.first
  if seen == 0 then seen = now - (row and row[3] or 0) end
  return add(place, 'consumer', consumer, 'attempts', count, 'crashes', record.crashes,
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
  settled = settled + 1
end

-- Skip an addition; what is wrong with its key.
local function skip_addition()
  local index = LIST[at + 1]
  at = at + 3 + LIST[at + 3]
  return wrong_type(index, 'stream')
end

local function settle_one()
  local id, count, outcome, outputs = LIST[at + 1], LIST[at + 2], LIST[at + 3], LIST[at + 4]
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
    row, gone = fence(id, count)
    if gone then forget(id) end
    if not row then return end
  end
  if kind == 'p' then err = err or retry_error end
  if err then return refuse(id, 4, err) end
  if kind == 'p' then return park(id, row, unpack(LIST, after + 1, after + 3)) end
  local marked
  if kind == 'm' then
    local key = KEYS[LIST[after + 1]]
    local fresh, by = mark(key, source .. ':' .. id, LIST[after + 2], LIST[after + 3])
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
      place = place + 3 + LIST[place + 3]
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

local settlements = LIST[at]
for _ = 1, settlements do settle_one() end
settle(ended, ended_members)

-- A flush that settled nothing is safe to run again, so it is not remembered. Where a lost group
-- restarts (the checkpoint) is written at most once a second.
if settled == 0 then
  must_be_primary(state)
  return refused
end
local value = string.format('%.0f', number)
if #refused > 0 then value = value .. cmsgpack.pack(refused) end
local noted = {flush_field, value}
if source == 'm' and math.abs(now - tonumber(kept[2] or 0)) >= 1000 then -- a clock may be set back
  local checkpoint = checkpoint_of(group_bounds(stream, group))
  if checkpoint then
    noted = {flush_field, value, 'checkpoint', checkpoint,
      'checkpoint_at', string.format('%.0f', now)}
  end
end
redis.pcall('HSET', state, unpack(noted))
return refused
