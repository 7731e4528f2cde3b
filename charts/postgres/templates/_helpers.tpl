{{- define "postgres.name" -}}
{{ .Values.fullnameOverride | default "postgres" }}
{{- end }}

{{/* The labels that policies and Services select by; never changed between versions of the chart. */}}
{{- define "postgres.selector" -}}
app.kubernetes.io/name: postgres
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: database
{{- end }}

{{- define "postgres.labels" -}}
app.kubernetes.io/name: postgres
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dream
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "postgres.image" -}}
{{- if eq .Values.mode "cnpg" -}}
{{- with .Values.cnpg.image -}}
{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- else -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "postgres.pullPolicy" -}}
{{ ternary .Values.cnpg.image.pullPolicy .Values.image.pullPolicy (eq .Values.mode "cnpg") }}
{{- end }}

{{- define "postgres.secret" -}}
{{ required "existingSecret is empty: name a Secret with the keys username and password (make secrets makes dream-postgres)" .Values.existingSecret }}
{{- end }}

{{- define "postgres.backupSecret" -}}
{{ required "backup.existingSecret is empty: name a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the store for backups" .Values.backup.existingSecret }}
{{- end }}

{{/* Values that are right each by itself and wrong together. */}}
{{- define "postgres.check" -}}
{{- if eq .Values.database.owner "postgres" }}
{{- fail "database.owner is \"postgres\", PostgreSQL's superuser: name a role of its own for MLflow" }}
{{- end }}
{{- if and (eq .Values.mode "single") .Values.backup.enabled }}
{{- fail "backup.enabled needs mode: cnpg; the single pod has no archive (docs/operations.md shows how to dump it)" }}
{{- end }}
{{- if and (eq .Values.mode "single") .Values.recovery.enabled }}
{{- fail "recovery.enabled needs mode: cnpg; the single pod is restored from a dump (see docs/operations.md)" }}
{{- end }}
{{- if ge (int .Values.cnpg.synchronousStandbys) (int .Values.cnpg.instances) }}
{{- fail (printf "cnpg.synchronousStandbys is %d with %d instances: no commit would ever end; use fewer, or more instances" (int .Values.cnpg.synchronousStandbys) (int .Values.cnpg.instances)) }}
{{- end }}
{{- if and .Values.recovery.enabled .Values.backup.enabled (eq .Values.recovery.serverName .Values.backup.serverName) }}
{{- fail (printf "backup.serverName and recovery.serverName are both %q: the restored database would write over the archive it comes from; give backup.serverName a new name" .Values.backup.serverName) }}
{{- end }}
{{- end }}

{{/* The official image's user, who stands in its /etc/passwd; initdb refuses to run as anybody unknown. */}}
{{- define "postgres.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ ternary 26 999 (eq .Values.mode "cnpg") }}
runAsGroup: {{ ternary 26 999 (eq .Values.mode "cnpg") }}
fsGroup: {{ ternary 26 999 (eq .Values.mode "cnpg") }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "postgres.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "postgres.scheduling" -}}
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
