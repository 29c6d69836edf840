{{/* What the specs of all pods share. Takes the section of the values, the component and the root. */}}
{{- define "kab.pod.common" -}}
{{- $own := index . 0 -}}
{{- $component := index . 1 -}}
{{- $root := index . 2 -}}
# The environment holds what is written here, not what other Services of the namespace would put into it.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- if $own.affinity }}
  {{- toYaml $own.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "kab.selector" (list $component $root) | nindent 14 }}
  {{- end }}
{{- end }}

{{- define "kab.probes" -}}
# Liveness asks only whether the process answers: a restart mends no outage elsewhere. Readiness says what is wrong.
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- define "kab.budget" -}}
{{- $component := index . 0 -}}
{{- $root := index . 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "kab.fullname" $root }}-{{ $component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kab.labels" (list $component $root) | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "kab.selector" (list $component $root) | nindent 6 }}
{{- end }}

{{/* The egress that every pod needs. */}}
{{- define "kab.dns" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end }}

{{/* Who may scrape. */}}
{{- define "kab.metricsIngress" -}}
- ports:
    - { protocol: TCP, port: admin }
  from:
    {{- if .Values.networkPolicy.metricsFrom }}
    {{- toYaml .Values.networkPolicy.metricsFrom | nindent 4 }}
    {{- else }}
    - namespaceSelector: {}
    {{- end }}
{{- end }}
