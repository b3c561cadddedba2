{{- define "headrace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "headrace.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "headrace.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "headrace.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "headrace.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* Of what has no namespace: two releases of one name in two namespaces must not collide. */}}
{{- define "headrace.clusterName" -}}
{{- printf "%s-%s" (include "headrace.namespace" .) (include "headrace.fullname" .) }}
{{- end }}

{{- define "headrace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "headrace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "headrace.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "headrace.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headrace
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* labels and annotations of (dict "root" $ "labels" {...} "annotations" {...}): the chart's own, then the user's */}}
{{- define "headrace.metadata" -}}
{{- $own := include "headrace.labels" .root | fromYaml -}}
labels:
  {{- toYaml (merge (dict) $own (default dict .labels) .root.Values.commonLabels) | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "headrace.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "headrace.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: set serviceAccount.name to the ServiceAccount to use" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image reference of (dict "image" {registry, repository, tag, digest} "root" $). */}}
{{- define "headrace.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end }}
{{- end }}

{{/* A list in CEL of what host:port must match, from hosts in which * stands for a part of a name. */}}
{{- define "headrace.hostPatterns" -}}
{{- $patterns := list -}}
{{- range . -}}
{{- $patterns = append $patterns (printf "^%s:[0-9]+$" (regexQuoteMeta . | replace "\\*" "[^:/]*")) -}}
{{- end -}}
{{ toJson $patterns }}
{{- end }}

{{/* Where the operator's metrics are: the name of the container's port, and of the Service's. */}}
{{- define "headrace.metricsPort" -}}
{{- ternary "https" "http" (ne .Values.metrics.tls.secretName "") -}}
{{- end }}

{{/* Settings of TLS that would promise more than they do. */}}
{{- define "headrace.checkTLS" -}}
{{- with .Values.metrics.tls }}
{{- if and .clientCertificates (not .secretName) }}
{{- fail "metrics.tls.clientCertificates needs metrics.tls.secretName: without it the metrics are served by HTTP, to everyone" }}
{{- end }}
{{- if and .scrape (not .secretName) }}
{{- fail "metrics.tls.scrape needs metrics.tls.secretName: without it the metrics are served by HTTP" }}
{{- end }}
{{- if and (hasKey .scrape "ca") (not (values (default dict .scrape.ca) | compact)) }}
{{- fail "metrics.tls.scrape.ca names no Secret and no ConfigMap: Prometheus would trust the system's authorities. Name one, or leave `ca` out where that is meant" }}
{{- end }}
{{- end }}
{{- end }}

{{/* "yes" where an object of the Prometheus operator is rendered, of (dict "root" $ "kind" "PodMonitor"). Every API server
serves apiregistration.k8s.io; `helm template` knows it only where somebody told it what a cluster serves. */}}
{{- define "headrace.rendersMonitor" -}}
{{- $served := .root.Capabilities.APIVersions -}}
{{- if or (eq .root.Values.metrics.renderMode "alwaysRender") (not ($served.Has "apiregistration.k8s.io/v1")) ($served.Has (printf "monitoring.coreos.com/v1/%s" .kind)) -}}
yes
{{- end -}}
{{- end }}

{{/* A scrape endpoint of the operator, of (dict "root" $ "monitor" {...}). */}}
{{- define "headrace.operatorEndpoint" -}}
{{- $port := include "headrace.metricsPort" .root -}}
port: {{ $port }}
{{- if eq $port "https" }}
scheme: https
tlsConfig:
  {{- with .root.Values.metrics.tls.scrape }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  ca: {secret: {name: {{ .root.Values.metrics.tls.secretName }}, key: ca.crt}}
  serverName: {{ include "headrace.fullname" .root }}-metrics.{{ include "headrace.namespace" .root }}.svc
  {{- end }}
{{- end }}
{{ include "headrace.endpoint" .monitor }}
{{- end }}

{{/* The fields of a scrape endpoint that all monitors share, from one block of values. */}}
{{- define "headrace.endpoint" -}}
path: /metrics
interval: {{ .interval }}
honorLabels: {{ .honorLabels }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the operator may do with pipelines and their children: complete, and nothing more. */}}
{{- define "headrace.rules" -}}
- apiGroups: [headrace.dev]
  resources: [streampipelines]
  verbs: [get, list, watch, patch]
- apiGroups: [headrace.dev]
  resources: [redisconnections]
  verbs: [list, watch]
- apiGroups: [headrace.dev]
  resources: [streampipelines/status, redisconnections/status]
  verbs: [patch]
# An ownerReference with blockOwnerDeletion asks for this where the API server enforces it.
- apiGroups: [headrace.dev]
  resources: [streampipelines/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# By name only: credentials that a pipeline refers to. Never list, never watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
  {{- with .Values.rbac.secretNames }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
