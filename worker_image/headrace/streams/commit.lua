-- KEYS  1 source stream  2 state  3.. only what this flush uses; ARGV names them by index
-- ARGV  1 group  2 consumer  3 flush number  4 source "m"|"r"  5 index of failures (0: unused)
--       6 index of retry (0: unused)  7 where the fence starts to look (a hint)
--       8 n, then n ids delivered once and plainly acked
--       n, then n x (id, delivery count): plainly acked, record dropped
--       n, then n settlements:
--         id, delivery count, fenced 1|0, outcome "a"|"p"|"d"
--         n outputs x (key index, max length or "", n, fields...)
--         mark key index or 0; if any: window in ms, member of the first life or ""
--         "p": delay in ms, counts as failure 1|0, error
--         "d": key index, max length, n, fields...
-- returns flat (id, verdict, reason) of what was refused; empty: all done
--         verdicts: 1 owned by another, 2 gone, 3 duplicate, 4 failed, 5 trimmed
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

-- Phase 1: read. The fence is (consumer, delivery count) of the PEL.
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

local function take_fields(into)
  for _ = 1, tonumber(take()) do into[#into + 1] = take() end
  return into
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

local function take_settlement()
  local s = {id = take(), count = tonumber(take()), fenced = take() == '1', outcome = take()}
  s.member = source .. ':' .. s.id
  s.outputs = {}
  for i = 1, tonumber(take()) do
    local key, max = tonumber(take()), take()
    local args = max ~= '' and {'MAXLEN', '~', max, '*'} or {'*'}
    s.outputs[i] = {key = KEYS[key], args = take_fields(args)}
    s.error = s.error or wrong_type(key, 'stream')
  end
  local mark = tonumber(take())
  if mark > 0 then
    s.mark, s.window, s.first_life = KEYS[mark], take(), take()
  end
  if s.outcome == 'p' then
    s.delay, s.failure, s.reason = tonumber(take()), tonumber(take()), take()
    s.error = s.error or wrong_type(tonumber(ARGV[6]), 'zset')
  elseif s.outcome == 'd' then
    local key = tonumber(take())
    s.dead, s.dead_max, s.fields = KEYS[key], take(), take_fields({})
    s.error = s.error or wrong_type(key, 'stream')
  end
  s.error = s.error or wrong_type(tonumber(ARGV[5]), 'hash')
  return s
end

local settlements = {}
for _ = 1, tonumber(take()) do
  local s = take_settlement()
  local gone
  if s.fenced then s.row, gone = fence(s.id, s.count) end
  if gone then dropped[#dropped + 1] = s.member end
  if not s.fenced or s.row then settlements[#settlements + 1] = s end
end

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

-- Phase 2: plain acks. They free memory, so a full server still takes them.
settle(acks, dropped)

-- Phase 3: each entry alone; what one of them cannot write stays with it.
local now = now_ms()
local written, ended, ended_members, parked = nil, {}, {}, 0

local function mark_ended(s)
  ended[#ended + 1], ended_members[#ended_members + 1] = s.id, s.member
end

local function add(key, args)
  if #args > 7000 then return 'ERR more fields than a script can pass on' end
  local id = redis.pcall('XADD', key, unpack(args))
  if type(id) == 'table' then return id.err end
  written[#written + 1] = {key, id}
end

local function bury(s)
  local record = read_record(redis.call('HGET', failures, s.member))
  local seen = record.first
  if seen == 0 then seen = now - (s.row and s.row[3] or 0) end
  local args = {'MAXLEN', '~', s.dead_max, '*', 'consumer', consumer,
    'attempts', tostring(s.count), 'crashes', tostring(record.crashes),
    'first_seen', string.format('%.0f', seen), 'dead_at', string.format('%.0f', now)}
  for i = 1, #s.fields do args[#args + 1] = s.fields[i] end
  return add(s.dead, args)
end

local function park(s)
  if not s.fenced then
    redis.pcall('HDEL', failures, s.member)
    return refuse(s.id, 5)
  end
  local moved = redis.pcall('XCLAIM', stream, group, 'headrace:parked', 0, s.id, 'JUSTID')
  if moved.err then return refuse(s.id, 4, moved.err) end
  if #moved == 0 then
    redis.pcall('HDEL', failures, s.member)
    return refuse(s.id, 5)
  end
  local due = redis.pcall('ZADD', retry, string.format('%.0f', now + s.delay), s.member)
  if type(due) == 'table' then
    redis.pcall('XCLAIM', stream, group, consumer, 0, s.id, 'JUSTID')
    return refuse(s.id, 4, due.err)
  end
  local packed = redis.pcall('HGET', failures, s.member)
  if s.failure == 1 or packed then
    local record = read_record(packed)
    record.failures, record.solo = record.failures + s.failure, 0
    if record.first == 0 then record.first = now - s.row[3] end
    if s.failure == 1 then record.error = s.reason end
    redis.pcall('HSET', failures, s.member, write_record(record))
  end
  parked = parked + 1
end

local function finish(s)
  if s.error then return refuse(s.id, 4, s.error) end
  if s.outcome == 'p' then return park(s) end
  if s.mark then
    local by = redis.pcall('GET', s.mark)
    if type(by) == 'table' then return refuse(s.id, 4, by.err) end
    if by and by ~= s.member and by ~= s.first_life then
      mark_ended(s)
      return refuse(s.id, 3)
    end
  end
  written = {}
  local err
  for _, output in ipairs(s.outputs) do err = err or add(output.key, output.args) end
  if not err and s.outcome == 'd' then err = bury(s) end
  if not err and s.mark then
    local set = redis.pcall('SET', s.mark, s.member, 'PX', s.window)
    err = set.err
  end
  if err then
    for _, entry in ipairs(written) do redis.pcall('XDEL', entry[1], entry[2]) end
    return refuse(s.id, 4, err)
  end
  mark_ended(s)
end

for _, s in ipairs(settlements) do finish(s) end
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
