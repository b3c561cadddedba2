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

{{/* "yes" where the PodMonitor is rendered. Every API server serves apiregistration.k8s.io; `helm template` knows it only where
somebody told it what a cluster serves. */}}
{{- define "pipeline.rendersMonitor" -}}
{{- $served := .Capabilities.APIVersions -}}
{{- if or (eq .Values.podMonitor.renderMode "alwaysRender") (not ($served.Has "apiregistration.k8s.io/v1")) ($served.Has "monitoring.coreos.com/v1/PodMonitor") -}}
yes
{{- end -}}
{{- end }}

{{- define "pipeline.handlers" -}}
{{ include "pipeline.name" . }}-handlers
{{- end }}
