-- Library: the flat name, value, name, value... replies of XINFO.
local function to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end
