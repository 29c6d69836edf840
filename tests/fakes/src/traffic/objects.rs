//! The objects in request and response bodies.

use serde_json::{Value, json};

use crate::Random;

pub(super) const APPS: [&str; 8] =
    ["cart", "checkout", "catalogue", "frontend", "invoice", "ledger", "indexer", "mailer"];

/// A name as a replica set gives it to its pods.
pub(super) fn pod_name(random: &mut Random, app: &str) -> String {
    format!("{app}-{}-{}", random.hex(9), random.hex(5))
}

/// A pod of `app`, with what an admission chain adds.
pub(super) fn pod(random: &mut Random, namespace: &str, app: &str) -> Value {
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": format!("{app}-{}-", random.hex(9)),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "demo", "pod-template-hash": random.hex(9)},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9102"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-{}", random.hex(9)),
                "uid": random.uuid(), "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "volumes": [
                {"name": "config", "configMap": {"name": format!("{app}-config"), "defaultMode": 420}},
                {"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                ]}},
            ],
            "containers": [{
                "name": "main",
                "image": format!("{}.dkr.ecr.eu-central-1.amazonaws.com/{app}@sha256:{}", crate::aws::ACCOUNT, random.hex(64)),
                "args": ["serve", "--listen=:8080", "--log-format=json"],
                "env": [
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                    {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.monitoring:4317"},
                ],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5, "failureThreshold": 3},
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/app", "readOnly": true},
                    {"name": "kube-api-access", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
                },
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": app,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 10001},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        },
    })
}

/// A deployment with its status.
pub(super) fn deployment(random: &mut Random, namespace: &str, app: &str) -> Value {
    let replicas = random.below(8) + 1;
    let mut template = pod(random, namespace, app);
    template["metadata"] = json!({"labels": {"app.kubernetes.io/name": app}});
    json!({
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": app, "namespace": namespace, "uid": random.uuid(), "generation": random.below(90) + 1,
            "resourceVersion": (random.below(9_000_000) + 1_000_000).to_string(),
            "labels": {"app.kubernetes.io/name": app, "app.kubernetes.io/managed-by": "argocd"},
        },
        "spec": {
            "replicas": replicas, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app.kubernetes.io/name": app}},
            "template": {"metadata": template["metadata"], "spec": template["spec"]},
        },
        "status": {
            "observedGeneration": random.below(90) + 1, "replicas": replicas, "readyReplicas": replicas,
            "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability."}],
        },
    })
}

/// What a kubelet or a scheduler reports as `Event` objects.
pub(super) fn report(random: &mut Random, namespace: &str, app: &str) -> Value {
    let (reason, message) = random.pick(&[
        ("Pulled", "Container image already present on machine"),
        ("Scheduled", "Successfully assigned the pod"),
        ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        ("BackOff", "Back-off restarting failed container main in pod"),
    ]);
    json!({
        "kind": "Event", "apiVersion": "v1",
        "metadata": {"name": format!("{app}.{}", random.hex(16)), "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": pod_name(random, app), "uid": random.uuid()},
        "reason": reason, "message": message, "type": "Normal", "count": random.below(20) + 1,
        "source": {"component": "kubelet"},
    })
}
