-- How Argo CD reads a StreamPipeline: by the conditions Ready, Reconciling and Stalled (kstatus).
local health = {status = "Progressing", message = "waiting for the operator"}
local status = obj.status
if status == nil or status.conditions == nil then return health end
if status.observedGeneration ~= obj.metadata.generation then
  health.message = "waiting for the operator to see the latest change"
  return health
end

local found = {}
for _, condition in ipairs(status.conditions) do found[condition.type] = condition end

if found.Stalled and found.Stalled.status == "True" then
  return {status = "Degraded", message = found.Stalled.message}
end
local reconciling = found.Reconciling
if reconciling and reconciling.status == "True" then
  -- The operator goes on by itself, but what it waits for may need a person: say so.
  local expected = reconciling.reason == "Progressing" or reconciling.reason == "Deleting"
  return {status = expected and "Progressing" or "Degraded", message = reconciling.message}
end
local ready = found.Ready
if ready == nil then return health end
health.message = ready.message
if obj.spec.suspend == true then
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = "Healthy"
elseif ready.status == "False" then
  health.status = "Degraded"
end
return health
