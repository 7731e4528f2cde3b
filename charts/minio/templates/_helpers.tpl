{{- define "minio.name" -}}
{{ .Values.fullnameOverride | default "minio" }}
{{- end }}

{{/* The labels that policies and Services select by; never changed between versions of the chart. */}}
{{- define "minio.selector" -}}
app.kubernetes.io/name: minio
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "minio.setupSelector" -}}
app.kubernetes.io/name: minio
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: setup
{{- end }}

{{- define "minio.labels" -}}
app.kubernetes.io/name: minio
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dream
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Takes image or client of the values. */}}
{{- define "minio.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end }}

{{- define "minio.rootSecret" -}}
{{ required "existingSecret is empty: name a Secret with the keys root-user and root-password (make secrets makes dream-minio)" .Values.existingSecret }}
{{- end }}

{{- define "minio.applicationSecret" -}}
{{ required "application.existingSecret is empty: name a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (make secrets makes dream-s3)" .Values.application.existingSecret }}
{{- end }}

{{- define "minio.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "minio.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "minio.scheduling" -}}
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

{{/* The set-up, once as a Job after each install and upgrade, once as a CronJob that waits to be asked. */}}
{{- define "minio.setupJob" -}}
backoffLimit: {{ .Values.setup.backoffLimit }}
activeDeadlineSeconds: {{ .Values.setup.activeDeadlineSeconds }}
template:
  metadata:
    labels: {{- mergeOverwrite (include "minio.labels" . | fromYaml) (include "minio.setupSelector" . | fromYaml) | toYaml | nindent 6 }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "minio.name" . }}
    automountServiceAccountToken: false
    enableServiceLinks: false
    {{- include "minio.scheduling" . | nindent 4 }}
    securityContext: {{- include "minio.podSecurity" . | nindent 6 }}
    containers:
      - name: setup
        image: {{ include "minio.image" .Values.client }}
        imagePullPolicy: {{ .Values.client.pullPolicy }}
        command: [sh, /setup/setup.sh]
        env:
          - {name: MC, value: {{ .Values.client.command | quote }}}
          - {name: ENDPOINT, value: "http://{{ include "minio.name" . }}:9000"}
          - {name: BUCKETS, value: {{ join " " .Values.buckets | quote }}}
          # Keys of a former user to be removed, set by `make rotate-secret SECRET=dream-s3` on its own copy of this Job.
          - {name: RETIRED_ACCESS_KEY, value: ""}
          - {name: HOME, value: /tmp}
          - {name: MC_CONFIG_DIR, value: /tmp/mc}
        resources:
          requests: {cpu: 50m, memory: 64Mi}
          limits: {cpu: 500m, memory: 256Mi}
        securityContext: {{- include "minio.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: setup, mountPath: /setup, readOnly: true}
          - {name: root, mountPath: /secrets/root, readOnly: true}
          - {name: application, mountPath: /secrets/application, readOnly: true}
          - {name: tmp, mountPath: /tmp}
    volumes:
      - {name: setup, configMap: {name: {{ include "minio.name" . }}-setup}}
      - {name: root, secret: {secretName: {{ include "minio.rootSecret" . }}, defaultMode: 0440}}
      - {name: application, secret: {secretName: {{ include "minio.applicationSecret" . }}, defaultMode: 0440}}
      # The client keeps what it signs in with here, so it never touches a disk.
      - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
{{- end }}
