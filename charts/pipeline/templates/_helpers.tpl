{{- define "pipeline.name" -}}
{{- default .Release.Name .Values.name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* labels and annotations; "labels" adds more. */}}
{{- define "pipeline.metadata" -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) "app.kubernetes.io/name" (include "pipeline.name" .root) "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/part-of" "headrace" "app.kubernetes.io/managed-by" .root.Release.Service -}}
labels:
  {{- toYaml (merge (dict) $own (default dict .labels) .root.Values.labels) | nindent 2 }}
{{- with .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "pipeline.handlers" -}}
{{ include "pipeline.name" . }}-handlers
{{- end }}
