//! Who calls: nodes, controllers, workloads, people.

use serde_json::{Value, json};

use crate::Random;
use crate::aws::ACCOUNT;

pub(super) const NAMESPACES: [&str; 6] = ["shop", "payments", "search", "billing", "monitoring", "staging"];

/// A caller as it stands in an event.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user: Value,
    pub(super) agent: String,
    pub(super) address: String,
    /// Why it may.
    pub(super) granted_by: String,
}

/// One of twelve nodes, by its kubelet.
pub(super) fn node(random: &mut Random) -> Caller {
    let number = random.below(12);
    let name = format!("ip-10-0-{}-{}.eu-central-1.compute.internal", number / 4, 17 * number + 3);
    Caller {
        user: json!({
            "username": format!("system:node:{name}"),
            "uid": format!("aws-iam-authenticator:{ACCOUNT}:AROAFAKENODE{number:04}"),
            "groups": ["system:bootstrappers", "system:nodes", "system:authenticated"],
            "extra": {
                "arn": [format!("arn:aws:sts::{ACCOUNT}:assumed-role/demo-node-group/i-0fake{number:012x}")],
                "canonicalArn": [format!("arn:aws:iam::{ACCOUNT}:role/demo-node-group")],
                "principalId": [format!("AROAFAKENODE{number:04}")],
                "sessionName": [format!("i-0fake{number:012x}")],
                "sigs.k8s.io/aws-iam-authenticator/principalId": [format!("AROAFAKENODE{number:04}")],
            },
        }),
        agent: "kubelet/v1.33.4 (linux/amd64) kubernetes/3f1c9aa".to_owned(),
        address: format!("10.0.{}.{}", number / 4, 17 * number + 3),
        granted_by: String::new(),
    }
}

/// A controller of the control plane.
pub(super) fn controller(random: &mut Random) -> Caller {
    let name = random.pick(&[
        "replicaset-controller",
        "deployment-controller",
        "endpointslice-controller",
        "generic-garbage-collector",
        "horizontal-pod-autoscaler",
        "job-controller",
        "node-controller",
    ]);
    let user = service_account(random, "kube-system", name, None);
    Caller {
        user,
        agent: format!(
            "kube-controller-manager/v1.33.4 (linux/amd64) kubernetes/3f1c9aa/system:serviceaccount:kube-system:{name}"
        ),
        address: "172.16.88.201".to_owned(),
        granted_by: grant("system:controller:", name, "kube-system"),
    }
}

/// A workload that talks to the apiserver.
pub(super) fn workload(random: &mut Random) -> Caller {
    let (namespace, name, agent) = random.pick(&[
        ("monitoring", "prometheus", "Prometheus/3.5.0"),
        ("kube-system", "aws-node", "aws-node/v1.20.1 (linux/amd64)"),
        ("kube-system", "coredns", "coredns/v1.12.2 (linux/amd64) kubernetes/v0.33.2"),
        ("argocd", "argocd-application-controller", "argocd-application-controller/v3.1.1"),
        ("cert-manager", "cert-manager", "cert-manager-controller/v1.18.2 (linux/amd64)"),
        ("karpenter", "karpenter", "karpenter/1.6.2"),
        ("shop", "cart", "Go-http-client/2.0"),
    ]);
    let pod = format!("{name}-{}-{}", random.hex(9), random.hex(5));
    let address = format!("10.0.{}.{}", random.below(3), random.below(200) + 20);
    Caller {
        user: service_account(random, namespace, name, Some(&pod)),
        agent: (*agent).to_owned(),
        address,
        granted_by: grant("", name, namespace),
    }
}

/// Somebody with kubectl.
pub(super) fn person(random: &mut Random) -> Caller {
    let name = random.pick(&["ada", "bo", "chandra", "dolores", "emeka", "fumiko"]);
    let office = random.below(40) + 10;
    Caller {
        user: json!({
            "username": format!("{name}@example.com"),
            "uid": format!("aws-iam-authenticator:{ACCOUNT}:AROAFAKEDEVELOPER"),
            "groups": ["developers", "system:authenticated"],
            "extra": {
                "accessKeyId": [format!("ASIAFAKE{}", random.hex(12).to_uppercase())],
                "arn": [format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Developers_fa4e/{name}@example.com")],
                "canonicalArn": [format!("arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Developers_fa4e")],
                "principalId": ["AROAFAKEDEVELOPER"],
                "sessionName": [format!("{name}@example.com")],
            },
        }),
        agent: "kubectl/v1.33.3 (darwin/arm64) kubernetes/80779bd".to_owned(),
        address: format!("203.0.113.{office}"),
        granted_by: "RBAC: allowed by ClusterRoleBinding \"developers\" of ClusterRole \"edit\" to Group \"developers\""
            .to_owned(),
    }
}

/// Nobody in particular.
pub(super) fn anonymous(random: &mut Random) -> Caller {
    Caller {
        user: json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]}),
        agent: "curl/8.9.1".to_owned(),
        address: format!("198.51.100.{}", random.below(250) + 2),
        granted_by: "RBAC: allowed by ClusterRoleBinding \"oops\" of ClusterRole \"view\" to Group \"system:unauthenticated\"".to_owned(),
    }
}

fn service_account(random: &mut Random, namespace: &str, name: &str, pod: Option<&str>) -> Value {
    let mut extra = json!({"authentication.kubernetes.io/credential-id": [format!("JTI={}", random.uuid())]});
    if let Some(pod) = pod {
        let node = random.below(12);
        extra["authentication.kubernetes.io/node-name"] =
            json!([format!("ip-10-0-{}-{}.eu-central-1.compute.internal", node / 4, 17 * node + 3)]);
        extra["authentication.kubernetes.io/node-uid"] = json!([random.uuid()]);
        extra["authentication.kubernetes.io/pod-name"] = json!([pod]);
        extra["authentication.kubernetes.io/pod-uid"] = json!([random.uuid()]);
    }
    json!({
        "username": format!("system:serviceaccount:{namespace}:{name}"),
        "uid": random.uuid(),
        "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
        "extra": extra,
    })
}

fn grant(prefix: &str, name: &str, namespace: &str) -> String {
    format!(
        "RBAC: allowed by ClusterRoleBinding \"{prefix}{name}\" of ClusterRole \"{prefix}{name}\" to ServiceAccount \"{name}/{namespace}\""
    )
}
