{{- define "dream-ray.name" -}}
{{ .Values.fullnameOverride | default "dream-ray" }}
{{- end }}

{{- define "dream-ray.head" -}}
{{ include "dream-ray.name" . }}-head
{{- end }}

{{/* The labels that policies and Services select by; never changed between versions of the chart. */}}
{{- define "dream-ray.selector" -}}
app.kubernetes.io/name: dream-ray
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dream-ray.labels" -}}
app.kubernetes.io/name: dream-ray
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dream
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dream-ray.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{- if has .tag (list "latest" "main" "nightly") }}{{ fail (printf "image.tag is %q, which changes under a running cluster: name an exact version" .tag) }}{{ end -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "dream-ray.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "dream-ray.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* A Secret that must be named: call with (list VALUE "the value's path" "what it holds"). */}}
{{- define "dream-ray.secret" -}}
{{- $name := index . 0 -}}
{{- if not $name }}{{ fail (printf "%s is empty: name the Secret that holds %s (`make secrets` makes it)" (index . 1) (index . 2)) }}{{ end -}}
{{ $name }}
{{- end }}

{{- define "dream-ray.token" -}}
{{ include "dream-ray.secret" (list .Values.existingSecret "existingSecret" "Ray's token in the key auth_token") }}
{{- end }}

{{/* A worker group with what it leaves out. */}}
{{- define "dream-ray.group" -}}
{{- $defaults := dict "replicas" 1 "minReplicas" 0 "gpus" 0 "gpuResource" "nvidia.com/gpu" "sharedMemory" "1Gi" "temporaryStorage" "10Gi" "nodeSelector" dict "tolerations" list -}}
{{- $group := mergeOverwrite $defaults . -}}
{{- if not (hasKey $group "maxReplicas") }}{{ $_ := set $group "maxReplicas" (max 1 (int $group.replicas) (int $group.minReplicas)) }}{{ end -}}
{{ toYaml $group }}
{{- end }}

{{/* What a schema cannot say: how values depend on each other. */}}
{{- define "dream-ray.check" -}}
{{- $seen := list -}}
{{- range .Values.workerGroups -}}
{{- $group := include "dream-ray.group" . | fromYaml -}}
{{- if has $group.name $seen }}{{ fail (printf "workerGroups has two groups named %q: give each its own name" $group.name) }}{{ end -}}
{{- $seen = append $seen $group.name -}}
{{- if gt (int $group.minReplicas) (int $group.maxReplicas) }}{{ fail (printf "workerGroups: %s has minReplicas %d above maxReplicas %d" $group.name (int $group.minReplicas) (int $group.maxReplicas)) }}{{ end -}}
{{- if and (eq $.Values.operator "kuberay") (or (lt (int $group.replicas) (int $group.minReplicas)) (gt (int $group.replicas) (int $group.maxReplicas))) }}{{ fail (printf "workerGroups: %s has replicas %d outside of minReplicas %d to maxReplicas %d" $group.name (int $group.replicas) (int $group.minReplicas) (int $group.maxReplicas)) }}{{ end -}}
{{- end -}}
{{- with .Values.gcsFaultTolerance -}}
{{- if and .enabled (eq .backend "redis") (not .redis.address) }}{{ fail "gcsFaultTolerance.redis.address is empty: name host:port of a Redis, or choose the backend rocksdb" }}{{ end -}}
{{- end -}}
{{- end }}
