{{- define "jupyter.name" -}}
{{ .Values.fullnameOverride | default "jupyter" }}
{{- end }}

{{/* The labels that policies and Services select by; never changed between versions of the chart. */}}
{{- define "jupyter.selector" -}}
app.kubernetes.io/name: jupyter
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "jupyter.labels" -}}
app.kubernetes.io/name: jupyter
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dream
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "jupyter.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{- if has .tag (list "latest" "main" "nightly") }}{{ fail (printf "image.tag is %q, which changes under a running cluster: name an exact version" .tag) }}{{ end -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "jupyter.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "jupyter.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* A Secret that must be named: call with (list VALUE "the value's path" "what it holds"). */}}
{{- define "jupyter.secret" -}}
{{- $name := index . 0 -}}
{{- if not $name }}{{ fail (printf "%s is empty: name the Secret that holds %s (`make secrets` makes it)" (index . 1) (index . 2)) }}{{ end -}}
{{ $name }}
{{- end }}

{{/* baseUrl with one slash at each end, as Jupyter wants it. */}}
{{- define "jupyter.baseUrl" -}}
{{- $path := trimAll "/" .Values.baseUrl -}}
{{ ternary "/" (printf "/%s/" $path) (empty $path) }}
{{- end }}

{{/* What a process of the image needs to know; the same words in the chart dream-ray. */}}
{{- define "jupyter.environment" -}}
- {name: HOME, value: /home/dream}
- {name: RAY_ADDRESS, value: {{ .Values.ray.address | quote }}}
- {name: RAY_AUTH_MODE, value: token}
- name: RAY_AUTH_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "jupyter.secret" (list .Values.ray.existingSecret "ray.existingSecret" "Ray's token in the key auth_token") }}
      key: auth_token
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
- {name: MLFLOW_TRACKING_URI, value: {{ .Values.mlflow.trackingUri | quote }}}
- {name: MLFLOW_DISABLE_TELEMETRY, value: "true"}
{{- if .Values.mlflow.existingSecret }}
- name: MLFLOW_TRACKING_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .Values.mlflow.existingSecret }}, key: admin-username}}
- name: MLFLOW_TRACKING_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.mlflow.existingSecret }}, key: admin-password}}
{{- end }}
{{- $s3 := include "jupyter.secret" (list .Values.s3.existingSecret "s3.existingSecret" "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $s3 }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $s3 }}, key: AWS_SECRET_ACCESS_KEY}}
- {name: AWS_DEFAULT_REGION, value: {{ .Values.s3.region | quote }}}
{{- with .Values.s3.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
- {name: DREAM_STORAGE, value: {{ .Values.storage | quote }}}
- {name: DREAM_CORPUS, value: {{ .Values.corpus | quote }}}
- {name: RAGAS_DO_NOT_TRACK, value: "true"}
{{- end }}
