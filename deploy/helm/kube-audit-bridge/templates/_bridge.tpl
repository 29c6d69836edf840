{{/* Whether a bridge posts to the receiver of this release. Takes its section and the root. */}}
{{- define "kab.bridge.atHome" -}}
{{- $own := index . 0 -}}
{{- $root := index . 1 -}}
{{- if not (or $own.receiverUrl $root.Values.bridges.receiverUrl) }}true{{ end -}}
{{- end }}

{{/* Secret with the bridge's token; empty means none. */}}
{{- define "kab.bridge.tokenSecret" -}}
{{- $root := index . 1 -}}
{{- if include "kab.bridge.atHome" . -}}
{{- if not $root.Values.auth.none }}{{ include "kab.tokenSecret" $root }}{{ end -}}
{{- else -}}
{{ $root.Values.bridges.tokenSecretName }}
{{- end -}}
{{- end }}

{{/* Secret with the authority of the receiver's certificate; empty means the system's roots. */}}
{{- define "kab.bridge.caSecret" -}}
{{- $root := index . 1 -}}
{{- if include "kab.bridge.atHome" . -}}
{{- if ne $root.Values.tls.mode "none" }}{{ include "kab.tlsSecret" $root }}{{ end -}}
{{- else -}}
{{ $root.Values.bridges.caSecretName }}
{{- end -}}
{{- end }}

{{- define "kab.bridge.checkpoint" -}}
{{- $name := index . 0 -}}
{{- $own := index . 1 -}}
{{- $root := index . 2 -}}
{{- $default := printf "configmap:%s/%s-%s" $root.Release.Namespace (include "kab.fullname" $root) $name -}}
{{ coalesce $own.checkpoint $root.Values.bridges.checkpoint $default }}
{{- end }}

{{/* The configuration of a bridge: what follows from the values, then its own `config` over it. */}}
{{- define "kab.bridge.config" -}}
{{- $name := index . 0 -}}
{{- $own := index . 1 -}}
{{- $root := index . 2 -}}
{{- $at := list $own $root -}}
{{- $receiver := dict "url" (coalesce $own.receiverUrl $root.Values.bridges.receiverUrl (include "kab.receiver.url" $root)) -}}
{{- if include "kab.bridge.tokenSecret" $at -}}
{{- $_ := set $receiver "token_file" "/etc/kube-audit-bridge/receiver/token" -}}
{{- end -}}
{{- if include "kab.bridge.caSecret" $at -}}
{{- $_ := set $receiver "tls" (dict "ca_file" "/etc/kube-audit-bridge/receiver/ca.crt") -}}
{{- end -}}
{{- $config := dict
      "receiver" $receiver
      "checkpoint" (include "kab.bridge.checkpoint" .)
      "admin" (dict "listen" (printf "%s:8080" $root.Values.listenAddress)) -}}
{{- toYaml (mergeOverwrite $config (deepCopy $own.config)) -}}
{{- end }}
