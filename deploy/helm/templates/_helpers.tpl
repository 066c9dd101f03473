{{- define "examon-dec.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the selectors of the daemon ask for; pods of jobs have another component. */}}
{{- define "examon-dec.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: daemon
{{- end -}}

{{- define "examon-dec.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "examon-dec.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "examon-dec.claim" -}}
{{ .Values.models.claim | default (printf "%s-models" (include "examon-dec.fullname" .)) }}
{{- end -}}

{{- define "examon-dec.pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "examon-dec.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What every pod that runs the program has in common: variables. */}}
{{- define "examon-dec.env" -}}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
{{- with .Values.secretEnv }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end -}}

{{- define "examon-dec.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
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
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The pod of a training; takes (dict "root" $ "args" list). */}}
{{- define "examon-dec.training-pod" -}}
{{- $ := .root -}}
automountServiceAccountToken: false
restartPolicy: Never
securityContext: {{- include "examon-dec.pod-security" $ | nindent 2 }}
{{- with include "examon-dec.placement" $ }}
{{- . | nindent 0 }}
{{- end }}
containers:
  - name: bootstrap
    image: {{ include "examon-dec.image" $ }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    {{- include "examon-dec.env" $ | nindent 4 }}
    resources: {{- toYaml $.Values.bootstrap.resources | nindent 6 }}
    securityContext: {{- include "examon-dec.container-security" $ | nindent 6 }}
    volumeMounts:
      - { name: config, mountPath: /etc/examon-dec, readOnly: true }
      - { name: models, mountPath: /models }
      - { name: history, mountPath: /history, readOnly: true }
      - { name: tmp, mountPath: /tmp }
volumes:
  - name: config
    configMap:
      name: {{ include "examon-dec.fullname" $ }}
  - name: models
    persistentVolumeClaim:
      claimName: {{ include "examon-dec.claim" $ }}
  - name: history
    persistentVolumeClaim:
      claimName: {{ required "history.claim is missing, and bootstrap and retrain need it" $.Values.history.claim }}
      readOnly: true
  - name: tmp
    emptyDir: {}
{{- end -}}
