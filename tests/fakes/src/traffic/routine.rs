//! What a healthy cluster does all day.

use serde_json::json;

use super::event::{Exchange, Target};
use super::objects::{APPS, deployment, pod, pod_name, report};
use super::people::{NAMESPACES, controller, node, person, workload};
use crate::Random;

const LEASES: &str = "coordination.k8s.io";
const SLICES: &str = "discovery.k8s.io";

/// A request, of the kinds and in the proportions of a busy cluster.
pub(super) fn any(random: &mut Random) -> Exchange {
    let namespace = *random.pick(&NAMESPACES);
    let app = *random.pick(&APPS);
    match random.below(100) {
        0..15 => lease(random),
        15..25 => node_status(random),
        25..37 => pod_status(random, namespace, app),
        37..45 => pod_created(random, namespace, app),
        45..53 => deployment_updated(random, namespace, app),
        53..63 => watch(random),
        63..70 => reported(random, namespace, app),
        70..76 => token_review(random),
        76..84 => slices(random, namespace, app),
        84..90 => looked_at(random, namespace),
        90..94 => configured(random, namespace, app),
        94..97 => refused(random, namespace, app),
        _ => deleted(random, namespace, app),
    }
}

fn lease(random: &mut Random) -> Exchange {
    let caller = node(random);
    let name = caller.user["username"].as_str().and_then(|user| user.rsplit(':').next()).map(str::to_owned);
    let target = Target::in_namespace(LEASES, "leases", "kube-node-lease", name).query("?timeout=10s");
    Exchange::new(caller, "update", target)
}

fn node_status(random: &mut Random) -> Exchange {
    let caller = node(random);
    let name = caller.user["username"].as_str().and_then(|user| user.rsplit(':').next()).map(str::to_owned);
    let target = Target::cluster_wide("", "nodes", name).sub("status").query("?timeout=10s");
    Exchange::new(caller, "patch", target).request(json!({"status": {"conditions": [
        {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory",
            "message": "kubelet has sufficient memory available"},
        {"type": "DiskPressure", "status": "False", "reason": "KubeletHasNoDiskPressure",
            "message": "kubelet has no disk pressure"},
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"},
    ]}}))
}

fn pod_status(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let name = pod_name(random, app);
    let target = Target::in_namespace("", "pods", namespace, Some(name)).sub("status");
    let answer = pod(random, namespace, app);
    Exchange::new(node(random), "patch", target)
        .request(json!({"metadata": {"uid": random.uuid()}, "status": {"conditions": [
            {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
        ], "containerStatuses": [{"name": "main", "ready": true, "restartCount": random.below(3),
            "containerID": format!("containerd://{}", random.hex(64))}]}}))
        .response(answer)
}

fn pod_created(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let target = Target::in_namespace("", "pods", namespace, None);
    let body = pod(random, namespace, app);
    Exchange::new(controller(random), "create", target).request(body)
}

fn deployment_updated(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let target = Target::in_namespace("apps", "deployments", namespace, Some(app.to_owned())).sub("status");
    let body = deployment(random, namespace, app);
    Exchange::new(controller(random), "update", target).request(body)
}

fn watch(random: &mut Random) -> Exchange {
    let (group, resource) = *random.pick(&[
        ("", "pods"),
        ("", "services"),
        ("", "configmaps"),
        ("apps", "deployments"),
        (SLICES, "endpointslices"),
        ("networking.k8s.io", "ingresses"),
    ]);
    let caller = if random.chance(300) { node(random) } else { workload(random) };
    let seconds = random.below(300) + 300;
    let version = random.below(9_000_000) + 1_000_000;
    let target = Target::cluster_wide(group, resource, None).query(format!(
        "?allowWatchBookmarks=true&resourceVersion={version}&timeout={}m{}s&timeoutSeconds={seconds}&watch=true",
        seconds / 60,
        seconds % 60
    ));
    Exchange::new(caller, "watch", target).open_ms(seconds as i64 * 1000)
}

fn reported(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let target = Target::in_namespace("", "events", namespace, None);
    let body = report(random, namespace, app);
    Exchange::new(node(random), "create", target).request(body)
}

fn token_review(random: &mut Random) -> Exchange {
    let target = Target::cluster_wide("authentication.k8s.io", "tokenreviews", None);
    Exchange::new(workload(random), "create", target)
}

fn slices(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let name = format!("{app}-{}", random.hex(5));
    let target = Target::in_namespace(SLICES, "endpointslices", namespace, Some(name));
    let endpoints: Vec<_> = (0..random.below(5) + 1)
        .map(|_| {
            let address = format!("10.0.{}.{}", random.below(3), random.below(250));
            json!({"addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod_name(random, app), "uid": random.uuid()}})
        })
        .collect();
    Exchange::new(controller(random), "update", target)
        .request(json!({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4",
            "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}))
}

fn looked_at(random: &mut Random, namespace: &str) -> Exchange {
    let (group, resource) =
        *random.pick(&[("", "pods"), ("apps", "deployments"), ("", "services"), ("batch", "jobs")]);
    let target = Target::in_namespace(group, resource, namespace, None).query("?limit=500");
    Exchange::new(person(random), "list", target)
}

fn configured(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let target = Target::in_namespace("", "configmaps", namespace, Some(format!("{app}-config")));
    Exchange::new(workload(random), "update", target).request(json!({
        "kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"name": format!("{app}-config"), "namespace": namespace},
        "data": {"app.yaml": format!("workers: {}\ntimeout: 30s\ntopic: orders\n# {}\n", random.below(16), random.hex(400))},
    }))
}

fn refused(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let code = *random.pick(&[403, 404, 404, 409]);
    let verb = if code == 409 { "update" } else { "get" };
    let target = Target::in_namespace("apps", "deployments", namespace, Some(app.to_owned()));
    Exchange::new(workload(random), verb, target).code(code)
}

fn deleted(random: &mut Random, namespace: &str, app: &str) -> Exchange {
    let name = pod_name(random, app);
    let target = Target::in_namespace("", "pods", namespace, Some(name));
    Exchange::new(controller(random), "delete", target).request(
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": random.uuid()}}),
    )
}
