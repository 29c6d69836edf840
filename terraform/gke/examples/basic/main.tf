# A bridge that polls Cloud Logging for the clusters of its own project.
module "audit_reader" {
  source = "../.."

  project                = "my-project"
  enable_data_access_log = ["my-project"]
}

output "service_account_email" {
  description = "Goes into the chart: --set stackdriver.serviceAccount.annotations.\"iam\\.gke\\.io/gcp-service-account\"=<this>"
  value       = module.audit_reader.service_account_email
}
