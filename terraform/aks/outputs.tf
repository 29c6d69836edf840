output "client_id" {
  description = "For the annotation azure.workload.identity/client-id of the service account."
  value       = azurerm_user_assigned_identity.bridge.client_id
}

output "event_hub_host" {
  description = "Host of the namespace, as the bridge's configuration takes it, in the public cloud."
  value       = "${local.namespace_name}.servicebus.windows.net"
}

output "event_hub" {
  description = "Name of the Event Hub."
  value       = var.event_hub_name
}

output "consumer_group" {
  description = "Name of the consumer group."
  value       = var.consumer_group
}

output "checkpoint_url" {
  description = "The checkpoint store for the bridge's configuration; null without checkpoint_storage."
  value       = one([for account in azurerm_storage_account.checkpoints : "az://${account.name}/kube-audit-bridge"])
}
