{{/*
The pods, the same with an operator and without. Each takes a dict: root (the chart's own context),
role (head or worker) and group (head's values, or a worker group's).
*/}}

{{/* Services and policies select by our labels, so ours win over the user's. No versions: they would restart the cluster. */}}
{{- define "dream-ray.podLabels" -}}
{{- $ours := include "dream-ray.selector" .root | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/component" .role -}}
{{- if eq .role "worker" }}{{ $_ := set $ours "dream.dev/group" .group.name }}{{ end -}}
{{ mergeOverwrite (deepCopy .root.Values.podLabels) $ours | toYaml }}
{{- end }}

{{/* What a process of the image needs to know; the same words in the chart jupyter. */}}
{{- define "dream-ray.environment" -}}
{{- $values := .root.Values -}}
- {name: HOME, value: /home/dream}
# KubeRay sets these two by itself. An operator too old to know authOptions would not, and the cluster stood open.
- {name: RAY_AUTH_MODE, value: token}
- name: RAY_AUTH_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "dream-ray.token" .root }}, key: auth_token}}
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
{{- if eq .role "head" }}
# Ray's client server forks one process per client. gRPC's own care for forks ends about one in twenty of them
# before they start, more when others knock at the same time; the process execs at once and needs none of it.
- {name: GRPC_ENABLE_FORK_SUPPORT, value: "0"}
{{- end }}
- {name: MLFLOW_TRACKING_URI, value: {{ $values.mlflow.trackingUri | quote }}}
- {name: MLFLOW_DISABLE_TELEMETRY, value: "true"}
{{- if $values.mlflow.existingSecret }}
- name: MLFLOW_TRACKING_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $values.mlflow.existingSecret }}, key: admin-username}}
- name: MLFLOW_TRACKING_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $values.mlflow.existingSecret }}, key: admin-password}}
{{- end }}
{{- $s3 := include "dream-ray.secret" (list $values.s3.existingSecret "s3.existingSecret" "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $s3 }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $s3 }}, key: AWS_SECRET_ACCESS_KEY}}
- {name: AWS_DEFAULT_REGION, value: {{ $values.s3.region | quote }}}
{{- with $values.s3.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
- {name: DREAM_STORAGE, value: {{ $values.storage | quote }}}
- {name: RAGAS_DO_NOT_TRACK, value: "true"}
{{- if eq $values.operator "none" }}
# As KubeRay sets it: a job finds its own cluster.
- {name: RAY_ADDRESS, value: {{ ternary "127.0.0.1:6379" (printf "%s:6379" (include "dream-ray.head" .root)) (eq .role "head") | quote }}}
# Ray reports no disk usage from a container otherwise, and there would be no alert before it is full.
- {name: RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE, value: "1"}
{{- include "dream-ray.faultTolerance" . }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* KubeRay sets these when it runs the cluster. */}}
{{- define "dream-ray.faultTolerance" -}}
{{- with .root.Values.gcsFaultTolerance }}
{{- if and .enabled (eq $.role "worker") }}
# A new head takes a minute or two to come up; Ray's own 60 seconds would end the workers before.
- {name: RAY_gcs_rpc_server_reconnect_timeout_s, value: "600"}
{{- else if .enabled }}
{{- if eq .backend "redis" }}
- {name: RAY_REDIS_ADDRESS, value: {{ .redis.address | quote }}}
- {name: RAY_external_storage_namespace, value: {{ include "dream-ray.name" $.root }}}
{{- if .redis.existingSecret }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .redis.existingSecret }}, key: {{ .redis.key }}}}
{{- end }}
{{- else }}
- {name: RAY_gcs_storage, value: rocksdb}
- {name: RAY_gcs_storage_path, value: /data/gcs}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Memory, processors and, for a group with GPUs, those. */}}
{{- define "dream-ray.resources" -}}
{{- $resources := deepCopy .group.resources -}}
{{- if and (eq .role "worker") (gt (int .group.gpus) 0) -}}
{{- $gpus := dict .group.gpuResource (int .group.gpus) -}}
{{- $resources = mergeOverwrite $resources (dict "requests" $gpus "limits" $gpus) -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}

{{/* The agent on each node knows whether the node is well; the head's asks the GCS too. It needs no token. */}}
{{- define "dream-ray.probes" -}}
startupProbe:
  httpGet: {path: /api/healthz, port: 52365}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 100
readinessProbe:
  httpGet: {path: /api/healthz, port: 52365}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 10
livenessProbe:
  # Generous: a node that is busy with a study is not a dead one.
  httpGet: {path: /api/healthz, port: 52365}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 30
{{- end }}

{{- define "dream-ray.mounts" -}}
- {name: home, mountPath: /home/dream}
- {name: tmp, mountPath: /tmp}
# Its own volume, because KubeRay's autoscaler writes its log beside the head's.
- {name: ray-logs, mountPath: /tmp/ray}
- {name: shared-mem, mountPath: /dev/shm}
{{- end }}

{{- define "dream-ray.podSpec" -}}
{{- $values := .root.Values -}}
{{- $autoscaler := and (eq .role "head") (eq $values.operator "kuberay") $values.autoscaler.enabled -}}
serviceAccountName: {{ include "dream-ray.name" .root }}-{{ .role }}
# Whoever connects runs code in these containers: none of them gets a token of the API server.
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext: {{- include "dream-ray.podSecurity" .root | nindent 2 }}
{{- if and (eq .role "worker") (eq $values.operator "none") }}
initContainers:
  # What KubeRay adds by itself: a worker that starts before its head gives up and is started over and over.
  - name: wait-for-head
    image: {{ include "dream-ray.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    command: [sh, -euc]
    args:
      - |
        until ray health-check --address {{ include "dream-ray.head" .root }}:6379 >/tmp/answer 2>&1; do
          echo "waiting for {{ include "dream-ray.head" .root }}:6379: $(tail -n 1 /tmp/answer)"
          sleep 2
        done
    env: {{- include "dream-ray.environment" . | nindent 6 }}
    resources:
      requests: {cpu: 100m, memory: 256Mi}
      limits: {cpu: "1", memory: 512Mi}
    securityContext: {{- include "dream-ray.containerSecurity" .root | nindent 6 }}
    volumeMounts:
      - {name: home, mountPath: /home/dream}
      - {name: tmp, mountPath: /tmp}
{{- end }}
containers:
  - name: ray-{{ .role }}
    image: {{ include "dream-ray.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    {{- if eq $values.operator "none" }}
    # Arguments, not a command: the image's own init process passes signals on and buries the dead.
    args: {{- include "dream-ray.start" . | nindent 6 }}
    {{- end }}
    env: {{- include "dream-ray.environment" . | nindent 6 }}
    {{- with $values.extraEnvFrom }}
    envFrom: {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      {{- if eq .role "head" }}
      - {name: gcs-server, containerPort: 6379}
      - {name: dashboard, containerPort: 8265}
      - {name: client, containerPort: 10001}
      {{- end }}
      - {name: metrics, containerPort: 8080}
    {{- include "dream-ray.probes" . | nindent 4 }}
    resources: {{- include "dream-ray.resources" . | nindent 6 }}
    securityContext: {{- include "dream-ray.containerSecurity" .root | nindent 6 }}
    volumeMounts:
      {{- include "dream-ray.mounts" . | nindent 6 }}
      {{- if and (eq .role "head") (eq $values.operator "none") $values.gcsFaultTolerance.enabled (eq $values.gcsFaultTolerance.backend "rocksdb") }}
      - {name: gcs-storage, mountPath: /data/gcs}
      {{- end }}
volumes:
  - {name: home, emptyDir: {sizeLimit: 2Gi}}
  - {name: tmp, emptyDir: {sizeLimit: 2Gi}}
  - {name: ray-logs, emptyDir: {sizeLimit: {{ .group.temporaryStorage }}}}
  - {name: shared-mem, emptyDir: {medium: Memory, sizeLimit: {{ .group.sharedMemory }}}}
  {{- if $autoscaler }}
  # The token that the autoscaler needs, and only its container mounts.
  - name: autoscaler-token
    projected:
      sources:
        - serviceAccountToken: {path: token, expirationSeconds: 3607}
        - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
        - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
  {{- end }}
{{- with mergeOverwrite (deepCopy $values.nodeSelector) .group.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $values.tolerations .group.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Without operator we start Ray ourselves, with the ports that KubeRay would choose. */}}
{{- define "dream-ray.start" -}}
- ray
- start
{{- if eq .role "head" }}
- --head
- --port=6379
- --dashboard-host=0.0.0.0
- --dashboard-port=8265
- --ray-client-server-port=10001
# The head keeps the cluster together; work on it would take from that.
- --num-cpus=0
{{- if and .root.Values.gcsFaultTolerance.enabled (eq .root.Values.gcsFaultTolerance.backend "redis") .root.Values.gcsFaultTolerance.redis.existingSecret }}
- --redis-password=$(REDIS_PASSWORD)
{{- end }}
{{- else }}
- --address={{ include "dream-ray.head" .root }}:6379
- --num-cpus={{ .group.cpus }}
- --num-gpus={{ .group.gpus }}
{{- end }}
- --metrics-export-port=8080
- --dashboard-agent-listen-port=52365
- --disable-usage-stats
- --block
{{- end }}
