locals {
  create_namespace = var.existing_namespace_id == null
  namespace_id     = local.create_namespace ? azurerm_eventhub_namespace.audit[0].id : var.existing_namespace_id
  namespace_name   = element(split("/", local.namespace_id), length(split("/", local.namespace_id)) - 1)
  namespace_group  = local.create_namespace ? var.resource_group_name : split("/", var.existing_namespace_id)[4]
  event_hub_id     = "${local.namespace_id}/eventhubs/${var.event_hub_name}"
}

resource "azurerm_eventhub_namespace" "audit" {
  count               = local.create_namespace ? 1 : 0
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "Standard"
  capacity            = var.throughput_units
  minimum_tls_version = "1.2"
  tags                = var.tags
}

resource "azurerm_eventhub" "audit" {
  count             = var.use_existing_event_hub ? 0 : 1
  name              = var.event_hub_name
  namespace_id      = local.namespace_id
  partition_count   = var.partitions
  message_retention = var.retention_days
}

resource "azurerm_eventhub_consumer_group" "bridge" {
  count               = var.consumer_group == "$Default" ? 0 : 1
  name                = var.consumer_group
  namespace_name      = local.namespace_name
  eventhub_name       = var.event_hub_name
  resource_group_name = local.namespace_group

  depends_on = [azurerm_eventhub.audit]
}

# Diagnostic settings know no identity of their own: they write with a rule of the namespace, which Azure Monitor wants with
# all three rights. The bridge does not use it.
resource "azurerm_eventhub_namespace_authorization_rule" "diagnostics" {
  count               = local.create_namespace ? 1 : 0
  name                = "diagnostic-settings"
  namespace_name      = local.namespace_name
  resource_group_name = local.namespace_group
  listen              = true
  send                = true
  manage              = true
}

resource "azurerm_monitor_diagnostic_setting" "audit" {
  name                           = var.name
  target_resource_id             = var.cluster_id
  eventhub_name                  = var.event_hub_name
  eventhub_authorization_rule_id = local.create_namespace ? azurerm_eventhub_namespace_authorization_rule.diagnostics[0].id : var.existing_namespace_rule_id

  dynamic "enabled_log" {
    for_each = toset(var.categories)
    content {
      category = enabled_log.value
    }
  }

  depends_on = [azurerm_eventhub.audit]

  lifecycle {
    precondition {
      condition     = local.create_namespace == (var.existing_namespace_rule_id == null)
      error_message = "existing_namespace_rule_id goes with existing_namespace_id, and only with it."
    }

    precondition {
      condition     = !(local.create_namespace && var.use_existing_event_hub)
      error_message = "use_existing_event_hub needs existing_namespace_id."
    }
  }
}

resource "azurerm_user_assigned_identity" "bridge" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "bridge" {
  name                = "${var.namespace}-${var.service_account}"
  resource_group_name = var.resource_group_name
  parent_id           = azurerm_user_assigned_identity.bridge.id
  audience            = ["api://AzureADTokenExchange"]
  issuer              = var.oidc_issuer_url
  subject             = "system:serviceaccount:${var.namespace}:${var.service_account}"
}

resource "azurerm_role_assignment" "receive" {
  scope                = local.event_hub_id
  role_definition_name = "Azure Event Hubs Data Receiver"
  principal_id         = azurerm_user_assigned_identity.bridge.principal_id
  principal_type       = "ServicePrincipal"

  depends_on = [azurerm_eventhub.audit]
}

resource "azurerm_storage_account" "checkpoints" {
  count                           = var.checkpoint_storage ? 1 : 0
  name                            = var.storage_account_name
  resource_group_name             = var.resource_group_name
  location                        = var.location
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  min_tls_version                 = "TLS1_2"
  shared_access_key_enabled       = false
  allow_nested_items_to_be_public = false
  tags                            = var.tags
}

resource "azurerm_storage_container" "checkpoints" {
  count              = var.checkpoint_storage ? 1 : 0
  name               = "kube-audit-bridge"
  storage_account_id = azurerm_storage_account.checkpoints[0].id
}

resource "azurerm_role_assignment" "checkpoints" {
  count                = var.checkpoint_storage ? 1 : 0
  scope                = azurerm_storage_container.checkpoints[0].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.bridge.principal_id
  principal_type       = "ServicePrincipal"
}
