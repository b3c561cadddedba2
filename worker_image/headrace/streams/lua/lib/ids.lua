-- Library: ids are compared as (ms, seq). As text "9" sorts after "10"; as doubles, numbers beyond
-- 2^53 fall together. Canonical decimal numbers order by length first, then as text.
local function number_less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function id_less(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return number_less(a_ms, b_ms) end
  return number_less(a_seq, b_seq)
end

-- Library: the id just below another, so that a group created there reads that other one too.
local function decrement(number)
  local head, zeros = string.match(number, '^(.-)(0*)$')
  local last = string.sub(head, -1) - 1
  local less = string.sub(head, 1, -2) .. string.format('%d', last) .. string.rep('9', #zeros)
  return (string.gsub(less, '^0+(%d)', '%1'))
end

local function id_below(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  if seq ~= '0' then return ms .. '-' .. decrement(seq) end
  if ms == '0' then return id end
  return decrement(ms) .. '-18446744073709551615'
end
