-- Health of a CloudNativePG Cluster. Argo CD's own check fails on a Cluster without status, and calls
-- "Applying configuration" Degraded, which would fail the first sync; here only what needs a person is.
local health = {status = "Progressing", message = "waiting for the CloudNativePG operator"}
local annotations = obj.metadata.annotations or {}
if annotations["cnpg.io/reconciliationLoop"] == "disabled" then
  return {status = "Suspended", message = "reconciliation is switched off"}
end
local status = obj.status
if status == nil or status.phase == nil then
  return health
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "cnpg.io/hibernation" and condition.status == "True" then
    return {status = "Suspended", message = condition.message or "hibernated"}
  end
end

local needs_a_person = {
  ["Cluster is unrecoverable and needs manual intervention"] = true,
  ["Cluster cannot proceed to reconciliation due to an unknown plugin being required"] = true,
  ["Cluster has incomplete or invalid image catalog"] = true,
  ["Cluster cannot execute instance online upgrade due to missing architecture binary"] = true,
  ["Unable to create required cluster objects"] = true,
  ["Not enough disk space"] = true,
  ["Waiting for user action"] = true,
  ["Failing over"] = true,
}
health.message = status.phase
if status.phaseReason ~= nil and status.phaseReason ~= "" then
  health.message = status.phase .. ": " .. status.phaseReason
end
if needs_a_person[status.phase] then
  health.status = "Degraded"
elseif status.phase == "Cluster in healthy state" then
  local wanted, ready = obj.spec.instances or 1, status.readyInstances or 0
  health.message = ready .. " of " .. wanted .. " instances ready"
  if ready >= wanted then
    health.status = "Healthy"
  end
end
return health
