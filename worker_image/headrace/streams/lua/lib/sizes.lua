-- Library: whether a stream's entries are too large to be looked at. XINFO STREAM and XRANGE copy
-- bodies, whatever we want of them: more than a millisecond per MB, while nobody else is served.
-- One sample (the oldest node) is the one that finds a large first entry.
-- uses: reply
local LARGE_BYTES, CONSUMER_BYTES, PENDING_BYTES = 32768, 1000, 300

-- Mean bytes of an entry where they are large, else nil.
local function large_entries(stream, length)
  if length == 0 then return nil end
  local bytes = redis.pcall('MEMORY', 'USAGE', stream, 'SAMPLES', 1)
  if type(bytes) ~= 'number' then return nil end -- not permitted
  if bytes <= length * LARGE_BYTES then return nil end
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = to_map(row)
    bytes = bytes - info['consumers'] * CONSUMER_BYTES - info['pending'] * PENDING_BYTES
  end
  return bytes > length * LARGE_BYTES and bytes / length or nil
end
