variable "cluster_id" {
  description = "Resource id of the AKS cluster whose audit log is read."
  type        = string

  validation {
    condition     = can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ContainerService/managedClusters/[^/]+$", var.cluster_id))
    error_message = "cluster_id must be the resource id of a managed cluster."
  }
}

variable "oidc_issuer_url" {
  description = "OIDC issuer of the cluster that the bridge runs in: az aks show --query oidcIssuerProfile.issuerUrl."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of what is created here."
  type        = string
}

variable "location" {
  description = "Region of what is created here. A diagnostic setting reaches only Event Hubs of its cluster's region."
  type        = string
}

variable "name" {
  description = "Name of the namespace, identity and diagnostic setting; globally unique, as it becomes a host name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$", var.name))
    error_message = "name must be 6 to 50 letters, digits and -, beginning with a letter."
  }
}

variable "existing_namespace_id" {
  description = "Resource id of an Event Hub namespace to use. Null creates one."
  type        = string
  default     = null
}

variable "existing_namespace_rule_id" {
  description = "Resource id of the authorization rule (Send, Listen, Manage) of that namespace with which the diagnostic setting writes; goes with existing_namespace_id."
  type        = string
  default     = null
}

variable "event_hub_name" {
  description = "Name of the Event Hub, created in the namespace unless use_existing_event_hub."
  type        = string
  default     = "kube-audit"
}

variable "use_existing_event_hub" {
  description = "The Event Hub of that name is in existing_namespace_id already."
  type        = bool
  default     = false
}

variable "consumer_group" {
  description = "Consumer group of the bridge, created unless it is $Default. A group of its own keeps other readers from stealing partitions."
  type        = string
  default     = "kube-audit-bridge"
}

variable "partitions" {
  description = "Partitions of a new Event Hub: the most replicas that can share the work. Can't be changed later in the Standard tier."
  type        = number
  default     = 4

  validation {
    condition     = var.partitions >= 1 && var.partitions <= 32
    error_message = "partitions must be 1 to 32."
  }
}

variable "retention_days" {
  description = "How many days a new Event Hub keeps events: the longest outage without loss. The Standard tier allows 7."
  type        = number
  default     = 7
}

variable "throughput_units" {
  description = "Throughput units of a new namespace, each 1 MB/s in and 2 MB/s out."
  type        = number
  default     = 1
}

variable "categories" {
  description = "Log categories to read: kube-audit (all), or kube-audit-admin (no get, list, watch: exec by get and reads of secrets are invisible). Both together write every change twice."
  type        = list(string)
  default     = ["kube-audit"]

  validation {
    condition     = length(var.categories) == 1 && alltrue([for category in var.categories : contains(["kube-audit", "kube-audit-admin"], category)])
    error_message = "categories must be [\"kube-audit\"] or [\"kube-audit-admin\"]."
  }
}

variable "checkpoint_storage" {
  description = "Create a storage account and container for checkpoints. The chart's default, a ConfigMap, needs none."
  type        = bool
  default     = false
}

variable "storage_account_name" {
  description = "For checkpoint_storage: its globally unique name, 3 to 24 lower case letters and digits."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Namespace of the bridge's service account."
  type        = string
  default     = "kube-audit-bridge"
}

variable "service_account" {
  description = "Name of the bridge's service account."
  type        = string
  default     = "eventhub-bridge"
}

variable "tags" {
  description = "Tags of everything that is created here."
  type        = map(string)
  default     = {}
}
