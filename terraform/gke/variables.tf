variable "project" {
  description = "Project of the bridge: its service account, and in mode pubsub its topic and subscription, live here."
  type        = string
}

variable "clusters_project" {
  description = "Project of the cluster that the bridge's pod runs in, which names the workload identity pool. Null means project."
  type        = string
  default     = null
}

variable "mode" {
  description = "How the bridge reads: logging (polls Cloud Logging, needs no sink) or pubsub (a log sink feeds a subscription)."
  type        = string
  default     = "logging"

  validation {
    condition     = contains(["logging", "pubsub"], var.mode)
    error_message = "mode must be logging or pubsub."
  }
}

variable "source_projects" {
  description = "Projects whose clusters are read in mode logging. Empty means project."
  type        = list(string)
  default     = []
}

variable "sink_parent" {
  description = "For pubsub: where the sink stands: projects/ID, folders/NUMBER or organizations/NUMBER. Null means project."
  type        = string
  default     = null

  validation {
    condition     = var.sink_parent == null || can(regex("^(projects/[a-z0-9:.-]+|folders/[0-9]+|organizations/[0-9]+)$", var.sink_parent))
    error_message = "sink_parent must be projects/ID, folders/NUMBER or organizations/NUMBER."
  }
}

variable "clusters" {
  description = "Names of the clusters to read in mode pubsub. Empty means all under sink_parent."
  type        = list(string)
  default     = []
}

variable "data_access" {
  description = "Read the data access log as well: reads of secrets and exec by get stand only there. It must be switched on, see enable_data_access_log."
  type        = bool
  default     = true
}

variable "enable_data_access_log" {
  description = "Switch the data access log of the Kubernetes Engine API on in these projects. It is billed by volume."
  type        = list(string)
  default     = []
}

variable "exclude_leases" {
  description = "For pubsub: let the sink leave out writes of Lease objects, by far the most frequent entries."
  type        = bool
  default     = true
}

variable "namespace" {
  description = "Namespace of the bridge's Kubernetes service account."
  type        = string
  default     = "kube-audit-bridge"
}

variable "service_account" {
  description = "Name of the bridge's Kubernetes service account."
  type        = string
  default     = "stackdriver-bridge"
}

variable "name" {
  description = "Name of the service account, topic, subscription and sink that are created."
  type        = string
  default     = "kube-audit-bridge"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.name))
    error_message = "name must be 6 to 30 lower case letters, digits and -, beginning with a letter."
  }
}

variable "labels" {
  description = "Labels of everything here that takes labels."
  type        = map(string)
  default     = {}
}
