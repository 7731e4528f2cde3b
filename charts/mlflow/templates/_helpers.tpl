{{- define "mlflow.name" -}}
{{ .Values.fullnameOverride | default "mlflow" }}
{{- end }}

{{/* The labels that policies and Services select by; never changed between versions of the chart. */}}
{{- define "mlflow.selector" -}}
app.kubernetes.io/name: mlflow
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "mlflow.labels" -}}
app.kubernetes.io/name: mlflow
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dream
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "mlflow.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "mlflow.databaseSecret" -}}
{{ required "database.existingSecret is empty: name a Secret with the keys username and password (make secrets makes dream-postgres)" .Values.database.existingSecret }}
{{- end }}

{{- define "mlflow.artifactsSecret" -}}
{{ required "artifacts.existingSecret is empty: name a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (make secrets makes dream-s3)" .Values.artifacts.existingSecret }}
{{- end }}

{{- define "mlflow.authSecret" -}}
{{ required "auth.existingSecret is empty while auth.enabled is true: name a Secret with the keys admin-username, admin-password and flask-secret-key (make secrets makes dream-mlflow)" .Values.auth.existingSecret }}
{{- end }}

{{/* Without user and password: the driver's library takes both from its own variables, so they stand in no argument, page or log. */}}
{{- define "mlflow.databaseUrl" -}}
postgresql+psycopg2://{{ .Values.database.host }}:{{ .Values.database.port }}/{{ .Values.database.name }}
{{- end }}

{{/* MLflow compares the whole Host header, port included, and refuses what is not listed, its own Service's name too. */}}
{{- define "mlflow.allowedHosts" -}}
{{- $name := include "mlflow.name" . }}
{{- $names := list "localhost" "127.0.0.1" $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.%s" $name .Release.Namespace .Values.clusterDomain) }}
{{- $hosts := list }}
{{- range concat $names .Values.httpRoute.hostnames }}
{{- $hosts = concat $hosts (list . (printf "%s:*" .)) }}
{{- end }}
{{- concat $hosts .Values.allowedHosts | uniq | join "," }}
{{- end }}

{{- define "mlflow.corsOrigins" -}}
{{- $origins := list }}
{{- range .Values.httpRoute.hostnames }}
{{- $origins = append $origins (printf "https://%s" .) }}
{{- end }}
{{- concat $origins .Values.corsAllowedOrigins | uniq | join "," }}
{{- end }}

{{- define "mlflow.environment" -}}
- name: PGUSER
  valueFrom: {secretKeyRef: {name: {{ include "mlflow.databaseSecret" . }}, key: username}}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "mlflow.databaseSecret" . }}, key: password}}
- {name: PGSSLMODE, value: {{ .Values.database.sslMode }}}
- {name: PGCONNECT_TIMEOUT, value: "10"}
# The root file system is read-only: what a library caches goes here.
- {name: HOME, value: /tmp}
- {name: MLFLOW_DISABLE_TELEMETRY, value: "true"}
{{- if .Values.auth.enabled }}
- {name: MLFLOW_AUTH_CONFIG_PATH, value: /config/basic_auth.ini}
- name: MLFLOW_AUTH_ADMIN_USERNAME
  valueFrom: {secretKeyRef: {name: {{ include "mlflow.authSecret" . }}, key: admin-username}}
{{- end }}
{{- end }}

{{- define "mlflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mlflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "mlflow.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
