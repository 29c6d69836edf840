# Every cluster of an organization through one sink and one subscription.
module "audit_reader" {
  source = "../.."

  project     = "security-tooling"
  mode        = "pubsub"
  sink_parent = "organizations/123456789012"
}

output "subscription" {
  description = "The subscription for the bridge's configuration."
  value       = module.audit_reader.subscription
}
