//! Audit events like those of a busy cluster, the same in every run.

use std::fmt::Write;

/// A sequence of numbers that looks random (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// So many lists of so many events.
pub(crate) fn bodies(lists: usize, events: usize) -> Vec<String> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    (0..lists)
        .map(|_| {
            let events: Vec<String> = (0..events).map(|_| event(&mut dice, 0)).collect();
            event_list(&events.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect()
}

/// A list as kube-apiserver posts it.
pub(crate) fn event_list(events: &[&str]) -> String {
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#,
        events.join(",")
    )
}

/// A list of one event with a body of at least `bytes`.
pub(crate) fn big_event(bytes: usize) -> String {
    event_list(&[&event(&mut Dice(7), bytes)])
}

fn event(dice: &mut Dice, body: usize) -> String {
    let controller = dice.roll(100) < 88;
    let user = if controller {
        dice.pick(&[
            "system:serviceaccount:kube-system:replicaset-controller",
            "system:serviceaccount:kube-system:generic-garbage-collector",
            "system:node:ip-10-0-3-17.eu-west-1.compute.internal",
            "system:kube-controller-manager",
            "system:kube-scheduler",
            "system:apiserver",
        ])
    } else {
        dice.pick(&["kubernetes-admin", "cluster-autoscaler", "eks:node-manager", "alice@example.com"])
    };
    let verb = dice.pick(&["get", "get", "list", "watch", "update", "update", "patch", "create"]);
    let resource = dice.pick(&[
        "leases",
        "leases",
        "pods",
        "pods",
        "nodes",
        "events",
        "endpointslices",
        "replicasets",
        "configmaps",
        "deployments",
    ]);
    let (namespace, name) =
        (dice.pick(&["kube-system", "shop", "payments", "monitoring"]), dice.roll(100_000));
    let (id, minute) = (dice.roll(1 << 48), dice.roll(60));
    let mut text = format!(
        r#"{{"level":"RequestResponse","auditID":"{id:012x}-0000-4000-8000-000000000000","stage":"ResponseComplete","#
    );
    write!(
        text,
        r#""requestURI":"/apis/apps/v1/namespaces/{namespace}/{resource}/{resource}-{name}?fieldManager=manager\u0026timeout=30s","verb":"{verb}","user":{{"username":"{user}","uid":"8b1c4c1e-{name:05}","groups":["system:serviceaccounts","system:serviceaccounts:kube-system","system:authenticated"],"extra":{{"authentication.kubernetes.io/credential-id":["X509SHA256=4d967c13d6dd16d5b7c5b1d8c4c9b9c5a0f3f4d5"]}}}},"sourceIPs":["10.0.{minute}.17"],"userAgent":"kube-controller-manager/v1.33.2 (linux/amd64) kubernetes/3f7a50f/system:serviceaccount","objectRef":{{"resource":"{resource}","namespace":"{namespace}","name":"{resource}-{name}","uid":"5c0f6a2e-0000-4000-8000-{name:012}","apiGroup":"apps","apiVersion":"v1","resourceVersion":"{id}"}},"responseStatus":{{"metadata":{{}},"code":200}},"#
    )
    .unwrap();
    let filling =
        body.max(if matches!(verb, "update" | "patch" | "create") { 600 + dice.roll(1200) } else { 0 });
    if filling > 0 {
        object(&mut text, "requestObject", dice, namespace, name, filling);
        text.push(',');
        object(&mut text, "responseObject", dice, namespace, name, filling);
        text.push(',');
    }
    write!(
        text,
        r#""requestReceivedTimestamp":"2025-02-03T04:{minute:02}:06.123456Z","stageTimestamp":"2025-02-03T04:{minute:02}:06.130021Z","annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"system:controller\" of ClusterRole \"system:controller\" to ServiceAccount \"replicaset-controller/kube-system\""}}}}"#
    )
    .unwrap();
    text
}

/// A workload of at least so many bytes.
fn object(text: &mut String, key: &str, dice: &mut Dice, namespace: &str, name: usize, bytes: usize) {
    write!(
        text,
        r#""{key}":{{"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{{"name":"app-{name}","namespace":"{namespace}","labels":{{"app":"web","pod-template-hash":"{name}"}}}},"spec":{{"replicas":3,"containers":[{{"name":"web","image":"registry.example.com/team/web:1.{name}","env":["#
    )
    .unwrap();
    let start = text.len();
    while text.len() < start + bytes {
        let separator = if text.len() > start { "," } else { "" };
        write!(
            text,
            r#"{separator}{{"name":"SETTING_{}","value":"the value of \"it\" {}"}}"#,
            dice.roll(1000),
            dice.roll(1 << 40)
        )
        .unwrap();
    }
    text.push_str(r#"],"resources":{"limits":{"cpu":"500m","memory":"256Mi"}},"securityContext":{"privileged":false,"runAsUser":1000}}]}}"#);
}
