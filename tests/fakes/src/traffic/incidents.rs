//! What somebody should look at.

use serde_json::json;

use super::event::{Exchange, Target};
use super::objects::{APPS, pod, pod_name};
use super::people::{NAMESPACES, anonymous, person, workload};
use crate::Random;

const RBAC: &str = "rbac.authorization.k8s.io";

/// An incident of any kind.
pub(super) fn any(random: &mut Random) -> Exchange {
    let namespace = *random.pick(&NAMESPACES);
    let app = *random.pick(&APPS);
    match random.below(9) {
        0 | 1 => shell(random, namespace, app),
        2 => secret_read(random, namespace, app),
        3 => privileged_pod(random, namespace, app),
        4 => host_mount(random, namespace, app),
        5 => cluster_admin(random),
        6 => wildcard_role(random),
        7 => anonymous_list(random, namespace),
        _ => port_forward(random, namespace, app),
    }
}

/// kubectl since 1.31 opens a shell with `get` by WebSocket, before that with `create`.
fn shell(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let verb = if random.chance(700) { "get" } else { "create" };
    let command = *random.pick(&[
        "sh",
        "bash",
        "cat&command=%2Fetc%2Fshadow",
        "curl&command=http%3A%2F%2F169.254.169.254",
    ]);
    let name = pod_name(random, app);
    let target = Target::in_namespace("", "pods", namespace, Some(name))
        .sub("exec")
        .query(format!("?command={command}&container=main&stdin=true&stdout=true&tty=true"));
    let open_ms = random.below(240_000) as i64 + 500;
    Exchange::new(person(random), verb, target).code(101).open_ms(open_ms).rule("Shell in a pod")
}

fn port_forward(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let name = pod_name(random, app);
    let target = Target::in_namespace("", "pods", namespace, Some(name)).sub("portforward");
    let open_ms = random.below(600_000) as i64 + 500;
    Exchange::new(person(random), "get", target).code(101).open_ms(open_ms).rule("Port forwarded")
}

fn secret_read(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let target = Target::in_namespace("", "secrets", namespace, Some(format!("{app}-database")));
    Exchange::new(person(random), "get", target).rule("Secret read by a person")
}

fn privileged_pod(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let mut body = pod(random, namespace, app);
    body["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let target = Target::in_namespace("", "pods", namespace, None);
    Exchange::new(person(random), "create", target).request(body).rule("Privileged pod")
}

fn host_mount(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let mut body = pod(random, namespace, app);
    body["spec"]["volumes"][0] = json!({"name": "config", "hostPath": {"path": "/var/run", "type": ""}});
    let target = Target::in_namespace("", "pods", namespace, None);
    Exchange::new(workload(random), "create", target).request(body).rule("Host path mounted")
}

fn cluster_admin(random: &mut Random) -> Exchange {
    let name = format!("temporary-{}", random.hex(4));
    let target = Target::cluster_wide(RBAC, "clusterrolebindings", Some(name.clone()));
    let body = json!({
        "kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": random.pick(&NAMESPACES)}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    });
    Exchange::new(person(random), "create", target)
        .request(body.clone())
        .response(body)
        .rule("Cluster admin granted")
}

fn wildcard_role(random: &mut Random) -> Exchange {
    let name = format!("helper-{}", random.hex(4));
    let target = Target::cluster_wide(RBAC, "clusterroles", Some(name.clone()));
    let body = json!({
        "kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
    });
    Exchange::new(person(random), "create", target)
        .request(body.clone())
        .response(body)
        .rule("Wildcard role created")
}

fn anonymous_list(random: &mut Random, namespace: &str) -> Exchange {
    let target = Target::in_namespace("", "pods", namespace, None).query("?limit=500");
    Exchange::new(anonymous(random), "list", target).rule("Anonymous request allowed")
}
