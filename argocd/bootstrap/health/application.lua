-- Health of one part, as the root application sees it: the next wave starts when this says Healthy.
-- Argo CD 3.4 and later skip missing resources when they sum up health (argo-cd #27917): a part whose
-- resources were refused can call itself Healthy. So it also has to be Synced by an operation that succeeded.
local health = {status = "Progressing", message = "waiting for its first sync"}
local status = obj.status
if status == nil then
  return health
end

local sync = status.sync or {}
local operation = status.operationState
local whole = status.health or {}

-- The operation ends as Failed only when its retries are used up; until then it is Running and we wait.
if operation ~= nil and (operation.phase == "Failed" or operation.phase == "Error") then
  health.status = "Degraded"
  health.message = operation.message or "its sync failed"
  return health
end
if sync.status ~= "Synced" then
  health.message = "not Synced: " .. (sync.status or "Unknown")
  -- Argo CD's interpreter has no string library, so the conditions that are errors are named.
  local errors = {ComparisonError = true, InvalidSpecError = true, SyncError = true, UnknownError = true}
  for _, condition in ipairs(status.conditions or {}) do
    if errors[condition.type] then
      health.message = condition.type .. ": " .. (condition.message or "")
    end
  end
  if operation ~= nil and operation.phase == "Running" and operation.message ~= nil then
    health.message = operation.message
  end
  return health
end
if operation == nil or operation.phase ~= "Succeeded" then
  health.message = (operation or {}).message or "no sync has succeeded yet"
  return health
end
-- Missing means that a resource is about to be made, not that it is lost.
if whole.status == "Healthy" or whole.status == "Degraded" or whole.status == "Suspended" then
  health.status = whole.status
end
health.message = whole.message or ""
return health
