-- Library: what a replica knows may be old, and a script that finds nothing to write there answers as
-- if it were not. So a script that says whose an entry is makes sure, by a write of nothing.
local function must_be_primary(hash) redis.call('HDEL', hash, '') end
