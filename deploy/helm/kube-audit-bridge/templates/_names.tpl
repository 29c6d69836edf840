{{- define "kab.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "kab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "kab.name" .) .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "kab.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels of every object. Takes the component and the root. */}}
{{- define "kab.labels" -}}
{{- $root := index . 1 -}}
{{ include "kab.selector" . }}
app.kubernetes.io/part-of: kube-audit-bridge
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that never change. Takes the component and the root. */}}
{{- define "kab.selector" -}}
{{- $root := index . 1 -}}
app.kubernetes.io/name: {{ include "kab.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 0 }}
{{- end }}

{{- define "kab.receiver.name" -}}
{{ include "kab.fullname" . }}-receiver
{{- end }}

{{- define "kab.receiver.host" -}}
{{ include "kab.receiver.name" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "kab.receiver.url" -}}
{{ ternary "http" "https" (eq .Values.tls.mode "none") }}://{{ include "kab.receiver.host" . }}:{{ .Values.receiver.service.port }}/k8s_audit
{{- end }}

{{- define "kab.receiver.replicas" -}}
{{- if kindIs "invalid" .Values.receiver.replicas -}}
{{ ternary 2 1 (ne .Values.receiver.store.postgresSecretName "") }}
{{- else -}}
{{ int .Values.receiver.replicas }}
{{- end }}
{{- end }}

{{- define "kab.tlsSecret" -}}
{{ default (printf "%s-tls" (include "kab.fullname" .)) .Values.tls.secretName }}
{{- end }}

{{- define "kab.tokenSecret" -}}
{{ default (printf "%s-token" (include "kab.fullname" .)) .Values.auth.bridgeTokenSecretName }}
{{- end }}

{{/* Every name that the receiver's certificate is for, one a line. */}}
{{- define "kab.certificateNames" -}}
{{- $name := include "kab.receiver.name" . -}}
{{ $name }}.{{ .Release.Namespace }}.svc
{{ $name }}.{{ .Release.Namespace }}
{{ $name }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- range .Values.tls.extraNames }}
{{ . }}
{{- end }}
{{- end }}

{{- define "kab.image" -}}
{{- $root := index . 1 -}}
{{ $root.Values.image.registry }}/{{ index . 0 }}:{{ default $root.Chart.AppVersion $root.Values.image.tag }}
{{- end }}
