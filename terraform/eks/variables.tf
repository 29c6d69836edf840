variable "cluster_name" {
  description = "Name of the EKS cluster whose audit log is read."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", var.cluster_name))
    error_message = "cluster_name must be an EKS cluster name: up to 100 letters, digits, - and _."
  }
}

variable "log_group_name" {
  description = "Log group of the control plane. Null means /aws/eks/<cluster_name>/cluster, where EKS writes."
  type        = string
  default     = null
}

variable "identity" {
  description = "How the bridge's pod gets the role: irsa, pod-identity, or role (a bridge in another account takes it, see bridge_role_arn)."
  type        = string
  default     = "irsa"

  validation {
    condition     = contains(["irsa", "pod-identity", "role"], var.identity)
    error_message = "identity must be irsa, pod-identity or role."
  }
}

variable "oidc_issuer_url" {
  description = "For irsa: OIDC issuer of the cluster that the bridge runs in. Null means the issuer of cluster_name."
  type        = string
  default     = null
}

variable "register_oidc_provider" {
  description = "For irsa: register the issuer as an identity provider in IAM. Leave false where it is registered already (eksctl and most modules do)."
  type        = bool
  default     = false
}

variable "enable_audit_log" {
  description = "Switch the cluster's audit log on by the aws command line, once. The setting is an attribute of the cluster itself: where Terraform manages the cluster, set enabled_cluster_log_types there and leave this false."
  type        = bool
  default     = false
}

variable "namespace" {
  description = "Namespace of the bridge's service account."
  type        = string
  default     = "kube-audit-bridge"
}

variable "service_account" {
  description = "Name of the bridge's service account."
  type        = string
  default     = "cloudwatch-bridge"
}

variable "bridge_role_arn" {
  description = "For identity = role: ARN of the bridge's own role, which takes this one (`role` of the source in its configuration)."
  type        = string
  default     = null

  validation {
    condition     = var.bridge_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.bridge_role_arn))
    error_message = "bridge_role_arn must be the ARN of an IAM role."
  }
}

variable "role_name" {
  description = "Name of the role. Null lets IAM choose one that begins with kube-audit-bridge-."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that is created here."
  type        = map(string)
  default     = {}
}
