# A namespace, hub and identity of its own for one cluster.
module "audit_reader" {
  source = "../.."

  name                = "audit-production"
  resource_group_name = "audit"
  location            = "westeurope"
  cluster_id          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/prod/providers/Microsoft.ContainerService/managedClusters/prod"
  oidc_issuer_url     = "https://westeurope.oic.prod-aks.azure.com/tenant/issuer/"
}

output "client_id" {
  description = "Goes into the chart: --set eventhub.serviceAccount.annotations.\"azure\\.workload\\.identity/client-id\"=<this>"
  value       = module.audit_reader.client_id
}
