output "role_arn" {
  description = "For the annotation eks.amazonaws.com/role-arn of the service account (irsa), or `role` of the source (identity = role)."
  value       = aws_iam_role.audit_reader.arn
}

output "role_name" {
  description = "Name of the role."
  value       = aws_iam_role.audit_reader.name
}

output "log_group" {
  description = "The log group that the role may read: log_group of the source in the bridge's configuration."
  value       = local.log_group
}

output "enable_audit_log_command" {
  description = "Switches the audit log on where it is off."
  value       = local.enable_audit_log
}
