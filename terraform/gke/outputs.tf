output "service_account_email" {
  description = "For the annotation iam.gke.io/gcp-service-account of the Kubernetes service account."
  value       = google_service_account.bridge.email
}

output "subscription" {
  description = "The subscription of mode pubsub, as the bridge's configuration takes it; null in mode logging."
  value       = one(google_pubsub_subscription.audit[*].id)
}

output "sink_filter" {
  description = "Which log entries the sink passes on."
  value       = local.pubsub ? local.sink_filter : null
}
