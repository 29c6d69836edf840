locals {
  pubsub   = var.mode == "pubsub"
  pool     = "${coalesce(var.clusters_project, var.project)}.svc.id.goog"
  readable = toset(local.pubsub ? [] : length(var.source_projects) > 0 ? var.source_projects : [var.project])
  # Private log entries (data access) need a role of their own.
  log_roles = var.data_access ? ["roles/logging.viewer", "roles/logging.privateLogViewer"] : ["roles/logging.viewer"]
  grants    = { for pair in setproduct(local.readable, local.log_roles) : join(" ", pair) => { project = pair[0], role = pair[1] } }

  sink_parent = coalesce(var.sink_parent, "projects/${var.project}")
  parent_kind = split("/", local.sink_parent)[0]
  parent_id   = split("/", local.sink_parent)[1]
  log_ids     = var.data_access ? ["cloudaudit.googleapis.com/activity", "cloudaudit.googleapis.com/data_access"] : ["cloudaudit.googleapis.com/activity"]
  sink_filter = join(" AND ", compact([
    "resource.type=\"k8s_cluster\"",
    "protoPayload.serviceName=\"k8s.io\"",
    "(${join(" OR ", [for id in local.log_ids : "log_id(\"${id}\")"])})",
    length(var.clusters) == 0 ? "" : "resource.labels.cluster_name=(${join(" OR ", [for name in var.clusters : "\"${name}\""])})",
    var.exclude_leases ? "NOT protoPayload.methodName:\"io.k8s.coordination.v1.leases.\"" : "",
  ]))

  sink_writer = one(concat(
    google_logging_project_sink.audit[*].writer_identity,
    google_logging_folder_sink.audit[*].writer_identity,
    google_logging_organization_sink.audit[*].writer_identity,
  ))
}

resource "google_service_account" "bridge" {
  project      = var.project
  account_id   = var.name
  display_name = "kube-audit-bridge"
  description  = "Reads Kubernetes audit logs"
}

resource "google_service_account_iam_member" "workload_identity" {
  service_account_id = google_service_account.bridge.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${local.pool}[${var.namespace}/${var.service_account}]"
}

resource "google_project_iam_member" "log_reader" {
  for_each = local.grants
  project  = each.value.project
  role     = each.value.role
  member   = google_service_account.bridge.member
}

resource "google_project_iam_audit_config" "data_access" {
  for_each = toset(var.enable_data_access_log)
  project  = each.value
  service  = "container.googleapis.com"

  # Reading of objects, of secrets among them; of logs and the like; updates of status and leases.
  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    content {
      log_type = audit_log_config.value
    }
  }
}

resource "google_pubsub_topic" "audit" {
  count   = local.pubsub ? 1 : 0
  project = var.project
  name    = var.name
  labels  = var.labels
}

resource "google_pubsub_subscription" "audit" {
  count                      = local.pubsub ? 1 : 0
  project                    = var.project
  name                       = var.name
  topic                      = google_pubsub_topic.audit[0].id
  labels                     = var.labels
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  # An empty ttl never expires: a subscription that nobody reads for a month must not vanish with its backlog. There is no
  # dead-letter policy: it would move events away while the receiver is down.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}

resource "google_pubsub_subscription_iam_member" "bridge" {
  for_each     = toset(local.pubsub ? ["roles/pubsub.subscriber", "roles/pubsub.viewer"] : [])
  project      = var.project
  subscription = google_pubsub_subscription.audit[0].name
  role         = each.value
  member       = google_service_account.bridge.member
}

# Without this grant the sink fails silently: entries are dropped and nothing says so.
resource "google_pubsub_topic_iam_member" "sink_writer" {
  count   = local.pubsub ? 1 : 0
  project = var.project
  topic   = google_pubsub_topic.audit[0].name
  role    = "roles/pubsub.publisher"
  member  = local.sink_writer
}

# A sink of a project, a folder and an organization are three kinds of resources; one of them is made.
resource "google_logging_project_sink" "audit" {
  count                  = local.pubsub && local.parent_kind == "projects" ? 1 : 0
  project                = local.parent_id
  name                   = var.name
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.audit[0].id}"
  filter                 = local.sink_filter
  unique_writer_identity = true
}

resource "google_logging_folder_sink" "audit" {
  count            = local.pubsub && local.parent_kind == "folders" ? 1 : 0
  folder           = local.parent_id
  name             = var.name
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.audit[0].id}"
  filter           = local.sink_filter
  include_children = true
}

resource "google_logging_organization_sink" "audit" {
  count            = local.pubsub && local.parent_kind == "organizations" ? 1 : 0
  org_id           = local.parent_id
  name             = var.name
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.audit[0].id}"
  filter           = local.sink_filter
  include_children = true
}
