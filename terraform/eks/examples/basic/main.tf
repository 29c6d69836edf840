# The role for a bridge that runs in the cluster it reads, by IRSA.
module "audit_reader" {
  source = "../.."

  cluster_name = "production"
}

output "role_arn" {
  description = "Goes into the chart: --set cloudwatch.serviceAccount.annotations.\"eks\\.amazonaws\\.com/role-arn\"=<this>"
  value       = module.audit_reader.role_arn
}
