-- Library: park an entry whose consumer fell silent, due now: every worker of the group takes some.
-- The crash is counted. returns whether it was parked; else its body was trimmed, and it is lost
-- uses: count_crash
local function park_crashed(stream, failures, retry, group, source, row, now)
  local id, member = row[1], source .. ':' .. row[1]
  if #redis.call('XCLAIM', stream, group, 'headrace:parked', 0, id, 'JUSTID') == 0 then
    redis.call('HDEL', failures, member)
    return false
  end
  count_crash(failures, member, row, now)
  redis.call('ZADD', retry, string.format('%.0f', now), member)
  return true
end
