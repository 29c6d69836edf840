{{/* The configuration of audit-receiver: what follows from the values, then receiver.config over it. */}}
{{- define "kab.receiver.config" -}}
{{- $v := .Values -}}
{{- $config := dict
      "listen" (printf "%s:6443" $v.listenAddress)
      "admin" (dict "listen" (printf "%s:8080" $v.listenAddress)) -}}
{{- if not $v.receiver.store.postgresSecretName -}}
{{- $_ := set $config "store" "sqlite:/var/lib/kube-audit-bridge/receiver.db" -}}
{{- end -}}
{{- if ne $v.tls.mode "none" -}}
{{- $tls := dict "certificate_file" "/etc/kube-audit-bridge/tls/tls.crt" "key_file" "/etc/kube-audit-bridge/tls/tls.key" -}}
{{- if $v.tls.clientCaSecretName -}}
{{- $_ := set $tls "client_ca_file" "/etc/kube-audit-bridge/client-ca/ca.crt" -}}
{{- $_ := set $tls "client_certificate" $v.tls.clientCertificate -}}
{{- end -}}
{{- $_ := set $config "tls" $tls -}}
{{- end -}}
{{- if $v.auth.none -}}
{{- $_ := set $config "auth" "none" -}}
{{- else -}}
{{- $tokens := list (dict "file" "/etc/kube-audit-bridge/tokens/bridges") -}}
{{- range $at, $token := $v.auth.tokens -}}
{{- $entry := dict "file" (printf "/etc/kube-audit-bridge/tokens/%d" $at) -}}
{{- if $token.cluster -}}{{- $_ := set $entry "cluster" $token.cluster -}}{{- end -}}
{{- $tokens = append $tokens $entry -}}
{{- end -}}
{{- $_ := set $config "auth" (dict "tokens" $tokens) -}}
{{- end -}}
{{- $rules := list -}}
{{- if $v.receiver.rules.files -}}{{- $rules = append $rules "/etc/kube-audit-bridge/rules" -}}{{- end -}}
{{- if $v.receiver.rules.existingConfigMap -}}{{- $rules = append $rules "/etc/kube-audit-bridge/more-rules" -}}{{- end -}}
{{- if $rules -}}{{- $_ := set $config "rules" $rules -}}{{- end -}}
{{- if $v.admission.enabled -}}
{{- $_ := set $config "admission" (dict "secrets" (list (dict "file" "/etc/kube-audit-bridge/admission/secret" "cluster" $v.admission.cluster))) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy $v.receiver.config)) -}}
{{- end }}
