-- Library: the record of an entry in `failures`, "failures crashes killed solo first_ms error".
local function read_record(packed)
  if not packed then
    return {failures = 0, crashes = 0, killed = 0, solo = 0, first = 0, error = ''}
  end
  local f, c, k, s, t, e = string.match(packed, '^(%d+) (%d+) (%d+) (%d) (%d+) (.*)$')
  return {
    failures = tonumber(f), crashes = tonumber(c), killed = tonumber(k), solo = tonumber(s),
    first = tonumber(t), error = e,
  }
end

local function write_record(record)
  return string.format('%d %d %d %d %.0f ', record.failures, record.crashes, record.killed,
    record.solo, record.first) .. record.error
end
