data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_eks_cluster" "this" {
  count = var.identity == "irsa" && var.oidc_issuer_url == null ? 1 : 0
  name  = var.cluster_name
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `name` is the attribute that every release of the provider since 5.40 has.
  region = data.aws_region.current.name

  log_group     = coalesce(var.log_group_name, "/aws/eks/${var.cluster_name}/cluster")
  log_group_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
  cluster_arn   = "arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.cluster_name}"

  enable_audit_log = join(" ", [
    "aws eks update-cluster-config --region ${local.region} --name ${var.cluster_name}",
    "--logging '{\"clusterLogging\":[{\"types\":[\"audit\"],\"enabled\":true}]}'",
  ])

  issuer_url = var.identity != "irsa" ? "" : coalesce(var.oidc_issuer_url, one(data.aws_eks_cluster.this[*].identity[0].oidc[0].issuer))
  issuer     = trimprefix(local.issuer_url, "https://")
}

data "aws_iam_policy_document" "trust_irsa" {
  count = var.identity == "irsa" ? 1 : 0

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["arn:${local.partition}:iam::${local.account}:oidc-provider/${local.issuer}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
    }
  }
}

data "aws_iam_policy_document" "trust_pod_identity" {
  count = var.identity == "pod-identity" ? 1 : 0

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [var.namespace]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [var.service_account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.cluster_arn]
    }
  }
}

data "aws_iam_policy_document" "trust_role" {
  count = var.identity == "role" ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.bridge_role_arn]
    }
  }
}

resource "aws_iam_role" "audit_reader" {
  name                 = var.role_name
  name_prefix          = var.role_name == null ? "kube-audit-bridge-" : null
  description          = "Reads the audit log of the EKS cluster ${var.cluster_name} for kube-audit-bridge"
  max_session_duration = 3600
  tags                 = merge({ "app.kubernetes.io/part-of" = "kube-audit-bridge" }, var.tags)

  assume_role_policy = one(concat(
    data.aws_iam_policy_document.trust_irsa[*].json,
    data.aws_iam_policy_document.trust_pod_identity[*].json,
    data.aws_iam_policy_document.trust_role[*].json,
  ))

  lifecycle {
    precondition {
      condition     = (var.identity == "role") == (var.bridge_role_arn != null)
      error_message = "bridge_role_arn goes with identity = role, and only with it."
    }
  }
}

data "aws_iam_policy_document" "read_audit_log" {
  statement {
    sid       = "ReadLogGroup"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:DescribeLogStreams"]
    resources = ["${local.log_group_arn}:*"]
  }

  # `check` tells an absent log group from a forbidden one by this; the action knows no smaller resource.
  statement {
    sid       = "ListLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "read_audit_log" {
  name   = "read-audit-log"
  role   = aws_iam_role.audit_reader.id
  policy = data.aws_iam_policy_document.read_audit_log.json
}

resource "aws_eks_pod_identity_association" "bridge" {
  count           = var.identity == "pod-identity" ? 1 : 0
  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.audit_reader.arn
  tags            = var.tags
}

data "tls_certificate" "issuer" {
  count = var.identity == "irsa" && var.register_oidc_provider ? 1 : 0
  url   = "https://${local.issuer}"
}

resource "aws_iam_openid_connect_provider" "cluster" {
  count           = var.identity == "irsa" && var.register_oidc_provider ? 1 : 0
  url             = "https://${local.issuer}"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = [data.tls_certificate.issuer[0].certificates[0].sha1_fingerprint]
  tags            = var.tags
}

resource "terraform_data" "audit_log" {
  count            = var.enable_audit_log ? 1 : 0
  triggers_replace = [local.enable_audit_log]

  provisioner "local-exec" {
    command = local.enable_audit_log
  }
}
