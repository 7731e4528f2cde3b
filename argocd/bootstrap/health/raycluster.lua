-- Health of a RayCluster, from the conditions that KubeRay 1.7 sets. Argo CD brings none of its own.
local health = {status = "Progressing", message = "waiting for the KubeRay operator"}
local status = obj.status
if status == nil then
  return health
end
-- The conditions below speak of an older spec as long as the operator has not seen this one.
if status.observedGeneration ~= nil and obj.metadata.generation ~= nil
    and status.observedGeneration < obj.metadata.generation then
  health.message = "the operator has not seen the newest spec yet"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end
local function message(name, otherwise)
  local found = conditions[name]
  if found ~= nil and found.message ~= nil and found.message ~= "" then
    return found.message
  end
  return otherwise
end

if is("RayClusterSuspended") then
  return {status = "Suspended", message = "suspended"}
end
if is("ReplicaFailure") then
  return {status = "Degraded", message = message("ReplicaFailure", "its Pods cannot be made")}
end
if is("HeadPodReady") and is("RayClusterProvisioned") then
  return {status = "Healthy", message = "head ready, all Pods were ready once"}
end
-- Provisioned stays True once reached, so a head that is not ready now was lost, it is not starting.
if is("RayClusterProvisioned") then
  return {status = "Degraded", message = message("HeadPodReady", "the head is not ready")}
end
health.message = message("RayClusterProvisioned", message("HeadPodReady", "Pods are starting"))
return health
