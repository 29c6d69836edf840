{{/*
Whether a counter that appears only with its first count grew: `increase` misses that first one. Takes the series, the label
to sum by and the time.
*/}}
{{- define "kab.grew" -}}
{{- $sum := printf "sum by (%s) (%s)" (index . 1) (index . 0) -}}
{{- $before := printf "sum by (%s) (%s offset %s)" (index . 1) (index . 0) (index . 2) -}}
{{ $sum }} > ({{ $before }} or 0 * {{ $sum }})
{{- end }}

{{/* Alerting rules. Series of before a restart count: what was silent stays silent. */}}
{{- define "kab.alerts" -}}
{{- $root := . -}}
{{- $set := .Values.monitoring.prometheusRule -}}
{{- $here := printf "namespace=%q" .Release.Namespace -}}
{{- if .Values.receiver.enabled }}
- name: audit-receiver
  rules:
    - alert: AuditReceiverGone
      expr: absent(audit_receiver_received_total{ {{- $here -}} })
      for: 10m
      labels: { severity: critical }
      annotations:
        summary: No audit-receiver is being scraped
        description: Events wait with the bridges; API servers that post by themselves lose theirs after about 85 s.
    - alert: AuditClusterSilent
      expr: time() - max by (cluster) (max_over_time(audit_receiver_newest_event_timestamp_seconds{ {{- $here -}} }[1d])) > {{ mul $set.silentMinutes 60 }}
      for: 2m
      labels: { severity: critical }
      annotations:
        summary: {{ "No fresh audit event of cluster {{ $labels.cluster }}" | quote }}
        description: Its audit log is off, its bridge is behind, or its API server can't post. `check` of its bridge says which.
    - alert: AuditNoClusterKnown
      expr: absent(audit_receiver_newest_event_timestamp_seconds{ {{- $here -}} })
      for: {{ $set.silentMinutes }}m
      labels: { severity: critical }
      annotations:
        summary: The receiver has not evaluated any event since it started
    - alert: AuditStoreFailing
      expr: sum by (pod) (increase(audit_receiver_store_failures_total{ {{- $here -}} }[5m])) > 0
      labels: { severity: critical }
      annotations:
        summary: {{ "{{ $labels.pod }} can't store alerts" | quote }}
        description: Senders are told to keep their events. Look at the volume's free space, or at the database.
    - alert: AuditQuarantined
      expr: sum by (pod) (increase(audit_receiver_quarantined_total{ {{- $here -}} }[15m])) > 0
      labels: { severity: warning }
      annotations:
        summary: {{ "{{ $labels.pod }} set entries aside that can't be evaluated" | quote }}
        description: They are kept with their reasons. An attacker may have made them so.
    {{- if .Values.admission.enabled }}
    - alert: AuditReviewsLost
      expr: {{ include "kab.grew" (list (printf "audit_receiver_reviews_lost_total{%s}" $here) "cluster" "15m") }}
      labels: { severity: critical }
      annotations:
        summary: {{ "Admission reviews of {{ $labels.cluster }} are not evaluated" | quote }}
        description: More of them came than could be, or they could not be read. Nobody sends them again.
    {{- end }}
    - alert: AuditOutputFailing
      expr: max by (output) (audit_receiver_output_oldest_waiting_seconds{ {{- $here -}} }) > 300
      labels: { severity: critical }
      annotations:
        summary: {{ "Alerts do not reach output {{ $labels.output }}" | quote }}
        description: They wait in the store. `audit-receiver test-alert` tries each output.
    - alert: AuditRulesStale
      expr: max by (pod) (audit_receiver_rules_stale{ {{- $here -}} }) > 0
      for: 5m
      labels: { severity: warning }
      annotations:
        summary: {{ "{{ $labels.pod }} goes on with earlier rules: the files are unusable" | quote }}
    - alert: AuditSenderRefused
      expr: sum by (reason) (increase(audit_receiver_requests_refused_total{ {{- $here -}} }[15m])) > 10
      for: 5m
      labels: { severity: warning }
      annotations:
        summary: {{ "The receiver refuses requests: {{ $labels.reason }}" | quote }}
    {{- if not .Values.receiver.store.postgresSecretName }}
    - alert: AuditStoreFilling
      expr: min by (pod) (audit_receiver_store_disk_free_bytes{ {{- $here -}} } > 0) < 1e9
      for: 15m
      labels: { severity: warning }
      annotations:
        summary: {{ "The store of {{ $labels.pod }} has less than 1 GB left" | quote }}
    {{- end }}
    {{- if eq .Values.tls.mode "cert-manager" }}
    - alert: AuditCertificateExpires
      expr: certmanager_certificate_expiration_timestamp_seconds{ {{- $here -}} ,name="{{ include "kab.receiver.name" . }}"} - time() < {{ mul $set.certificateDays 86400 }}
      labels: { severity: warning }
      annotations:
        summary: The receiver's certificate expires soon and was not renewed
    {{- else if ne .Values.tls.mode "none" }}
    - alert: AuditCertificateExpires
      expr: min(audit_receiver_certificate_expiry_timestamp_seconds{ {{- $here -}} }) - time() < {{ mul $set.certificateDays 86400 }}
      labels: { severity: warning }
      annotations:
        summary: The receiver's certificate expires soon
        description: Without a valid one no sender gets through.
    {{- end }}
{{- end }}
{{- range $name := list "cloudwatch" "stackdriver" "eventhub" }}
{{- if (index $root.Values $name).enabled }}
{{- $metric := printf "%s_bridge" $name }}
{{- $title := printf "%sBridge" (title $name) }}
- name: {{ $name }}-bridge
  rules:
    - alert: {{ $title }}Gone
      expr: absent(build_info{ {{- $here -}} ,binary="{{ $name }}-bridge"})
      for: 10m
      labels: { severity: critical }
      annotations:
        summary: No {{ $name }}-bridge is being scraped
        description: The cloud keeps the log for days; nothing is lost while that lasts.
    - alert: {{ $title }}DeliveryFailing
      expr: sum by (unit) (increase({{ $metric }}_retries_total{ {{- $here -}} }[10m])) > 5 unless sum by (unit) (increase({{ $metric }}_delivered_total{ {{- $here -}} }[10m])) > 0
      labels: { severity: critical }
      annotations:
        summary: {{ "The receiver takes nothing of {{ $labels.unit }}" | quote }}
        description: The bridge's log says what it answers. It tries for ever.
    - alert: {{ $title }}Quarantined
      expr: {{ include "kab.grew" (list (printf "%s_records_total{%s,kind=\"quarantined\"}" $metric $here) "unit" "15m") }}
      labels: { severity: warning }
      annotations:
        summary: {{ "Records of {{ $labels.unit }} can't be read" | quote }}
    - alert: {{ $title }}PromiseBroken
      expr: sum by (unit, kind) ({{ $metric }}_violations_total{ {{- $here -}} }) > 0
      labels: { severity: critical }
      annotations:
        summary: {{ "Invariant {{ $labels.kind }} was broken for {{ $labels.unit }}" | quote }}
        description: This is a bug; please report it with the bridge's log.
    {{- if eq $name "eventhub" }}
    - alert: {{ $title }}Behind
      expr: max by (unit) ({{ $metric }}_lag{ {{- $here -}} }) > 0 and max by (unit) (time() - {{ $metric }}_enqueued{ {{- $here -}} }) > {{ mul $set.lagMinutes 60 }}
      for: 5m
      labels: { severity: warning }
      annotations:
        summary: {{ "{{ $labels.unit }} is read with a delay" | quote }}
    - alert: {{ $title }}Missed
      expr: {{ include "kab.grew" (list (printf "%s_missed_total{%s}" $metric $here) "unit" "1h") }}
      labels: { severity: critical }
      annotations:
        summary: {{ "Messages of {{ $labels.unit }} were gone before they could be read" | quote }}
        description: The event hub's retention is shorter than the bridge was away. Make it longer.
    {{- else }}
    - alert: {{ $title }}Behind
      expr: max by (unit) (time() - {{ $metric }}_swept_until{ {{- $here -}} }) > {{ mul $set.lagMinutes 60 }}
      for: 5m
      labels: { severity: warning }
      annotations:
        summary: {{ "{{ $labels.unit }} is read with a delay" | quote }}
        description: The log service does not answer, or its quota is used up; the bridge's log says which.
    - alert: {{ $title }}LateRecords
      expr: {{ include "kab.grew" (list (printf "%s_late_total{%s,age=\"1h\"}" $metric $here) "unit" "6h") }}
      labels: { severity: warning }
      annotations:
        summary: {{ "Records of {{ $labels.unit }} came so late that only the oldest sweep found them" | quote }}
        description: Later ones would be missed. Add an older age to `sweeps`.
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
