-- ARGV  for each command: how many words it has, then its words
-- returns for each: 1 the caller may run it, 0 it may not, -1 this server has no such command
local told, at = {}, 1
while ARGV[at] do
  local count = tonumber(ARGV[at])
  local known, may = pcall(redis.acl_check_cmd, unpack(ARGV, at + 1, at + count))
  told[#told + 1] = not known and -1 or may and 1 or 0
  at = at + count + 1
end
return told
