use super::*;

/// Method, resource name; what becomes of them: path, then `group version namespace resource name subresource`.
type Row = (&'static str, &'static str, &'static str, Option<[&'static str; 6]>);

const ROWS: &[Row] = &[
    // an object in a namespace, its subresource, the collection
    (
        "io.k8s.core.v1.pods.delete",
        "core/v1/namespaces/shop/pods/web",
        "/api/v1/namespaces/shop/pods/web",
        Some(["", "v1", "shop", "pods", "web", ""]),
    ),
    (
        "io.k8s.apps.v1.deployments.scale.patch",
        "apps/v1/namespaces/shop/deployments/web/scale",
        "/apis/apps/v1/namespaces/shop/deployments/web/scale",
        Some(["apps", "v1", "shop", "deployments", "web", "scale"]),
    ),
    (
        "io.k8s.core.v1.pods.deletecollection",
        "core/v1/namespaces/shop/pods",
        "/api/v1/namespaces/shop/pods",
        Some(["", "v1", "shop", "pods", "", ""]),
    ),
    // a create posts to the collection, unless to a subresource
    (
        "io.k8s.core.v1.pods.create",
        "core/v1/namespaces/shop/pods/web",
        "/api/v1/namespaces/shop/pods",
        Some(["", "v1", "shop", "pods", "web", ""]),
    ),
    (
        "io.k8s.core.v1.pods.create",
        "core/v1/namespaces/shop/pods",
        "/api/v1/namespaces/shop/pods",
        Some(["", "v1", "shop", "pods", "", ""]),
    ),
    (
        "io.k8s.core.v1.serviceaccounts.token.create",
        "core/v1/namespaces/shop/serviceaccounts/bot/token",
        "/api/v1/namespaces/shop/serviceaccounts/bot/token",
        Some(["", "v1", "shop", "serviceaccounts", "bot", "token"]),
    ),
    // exec and attach, also as of 2020 with the name said twice
    (
        "io.k8s.core.v1.pods.exec.get",
        "core/v1/namespaces/shop/pods/web/exec",
        "/api/v1/namespaces/shop/pods/web/exec",
        Some(["", "v1", "shop", "pods", "web", "exec"]),
    ),
    (
        "io.k8s.core.v1.pods.exec.create",
        "core/v1/namespaces/shop/pods/web/exec/web",
        "/api/v1/namespaces/shop/pods/web/exec",
        Some(["", "v1", "shop", "pods", "web", "exec"]),
    ),
    (
        "io.k8s.core.v1.pods.attach.create",
        "core/v1/namespaces/shop/pods/web/attach/web",
        "/api/v1/namespaces/shop/pods/web/attach",
        Some(["", "v1", "shop", "pods", "web", "attach"]),
    ),
    // behind proxy stands the path that is proxied, whatever it says
    (
        "io.k8s.core.v1.nodes.proxy.get",
        "core/v1/nodes/n1/proxy/run/shop/web",
        "/api/v1/nodes/n1/proxy/run/shop/web",
        Some(["", "v1", "", "nodes", "n1", "proxy"]),
    ),
    (
        "io.k8s.core.v1.services.proxy.get",
        "core/v1/namespaces/shop/services/web/proxy/web",
        "/api/v1/namespaces/shop/services/web/proxy/web",
        Some(["", "v1", "shop", "services", "web", "proxy"]),
    ),
    // cluster scope
    (
        "io.k8s.authorization.rbac.v1.clusterroles.update",
        "rbac.authorization.k8s.io/v1/clusterroles/system:reader",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:reader",
        Some(["rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:reader", ""]),
    ),
    (
        "io.k8s.core.v1.nodes.status.patch",
        "core/v1/nodes/n1/status",
        "/api/v1/nodes/n1/status",
        Some(["", "v1", "", "nodes", "n1", "status"]),
    ),
    ("io.k8s.core.v1.nodes.list", "core/v1/nodes", "/api/v1/nodes", Some(["", "v1", "", "nodes", "", ""])),
    (
        "io.k8s.authorization.v1beta1.subjectaccessreviews.create",
        "authorization.k8s.io/v1beta1/subjectaccessreviews",
        "/apis/authorization.k8s.io/v1beta1/subjectaccessreviews",
        Some(["authorization.k8s.io", "v1beta1", "", "subjectaccessreviews", "", ""]),
    ),
    (
        "io.k8s.certificates.v1.certificatesigningrequests.approval.update",
        "certificates.k8s.io/v1/certificatesigningrequests/eve/approval",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests/eve/approval",
        Some(["certificates.k8s.io", "v1", "", "certificatesigningrequests", "eve", "approval"]),
    ),
    // a Namespace is in itself, except while it is created
    (
        "io.k8s.core.v1.namespaces.delete",
        "core/v1/namespaces/shop",
        "/api/v1/namespaces/shop",
        Some(["", "v1", "shop", "namespaces", "shop", ""]),
    ),
    (
        "io.k8s.core.v1.namespaces.create",
        "core/v1/namespaces/shop",
        "/api/v1/namespaces",
        Some(["", "v1", "", "namespaces", "shop", ""]),
    ),
    (
        "io.k8s.core.v1.namespaces.finalize.update",
        "core/v1/namespaces/shop/finalize",
        "/api/v1/namespaces/shop/finalize",
        Some(["", "v1", "shop", "namespaces", "shop", "finalize"]),
    ),
    (
        "io.k8s.core.v1.namespaces.list",
        "core/v1/namespaces",
        "/api/v1/namespaces",
        Some(["", "v1", "", "namespaces", "", ""]),
    ),
    // ... also when the method says nothing of it
    (
        "some.method.of.status",
        "core/v1/namespaces/shop/status",
        "/api/v1/namespaces/shop/status",
        Some(["", "v1", "shop", "namespaces", "shop", "status"]),
    ),
    (
        "some.method.of.list",
        "core/v1/namespaces/shop/secrets",
        "/api/v1/namespaces/shop/secrets",
        Some(["", "v1", "shop", "secrets", "", ""]),
    ),
    // a resource that is called as a part of a Namespace is
    (
        "io.example.v1.status.list",
        "example.io/v1/namespaces/shop/status",
        "/apis/example.io/v1/namespaces/shop/status",
        Some(["example.io", "v1", "shop", "status", "", ""]),
    ),
    // custom resources, their group backwards
    (
        "com.example.widgets.v1beta2.gears.create",
        "widgets.example.com/v1beta2/namespaces/shop/gears",
        "/apis/widgets.example.com/v1beta2/namespaces/shop/gears",
        Some(["widgets.example.com", "v1beta2", "shop", "gears", "", ""]),
    ),
    (
        "io.gke.networking.v1.managedcertificates.get",
        "networking.gke.io/v1/namespaces/shop/managedcertificates/cert",
        "/apis/networking.gke.io/v1/namespaces/shop/managedcertificates/cert",
        Some(["networking.gke.io", "v1", "shop", "managedcertificates", "cert", ""]),
    ),
    // read by name through a collection: by a field selector
    (
        "io.k8s.core.v1.secrets.watch",
        "core/v1/namespaces/shop/secrets/token",
        "/api/v1/namespaces/shop/secrets",
        Some(["", "v1", "shop", "secrets", "token", ""]),
    ),
    // no resource
    ("io.k8s.get", "readyz", "/readyz", None),
    ("io.k8s.get", "api/v1", "/api/v1", None),
    ("io.k8s.post", "a/b/c/d", "/a/b/c/d", None),
    ("io.k8s.get", "", "/", None),
    // nothing said
    ("io.k8s.core.v1.pods.list", "", "", None),
    // what a scanner left of `POST /api/templates/preview`
    (
        "io.k8s.core.templates.preview.create",
        "core/templates/preview",
        "/api/templates/preview",
        Some(["", "templates", "", "preview", "", ""]),
    ),
    ("io.k8s.core.v1.create", "core/v1", "/core/v1", None),
];

#[test]
fn reads_every_shape() {
    for (method, resource, path, object) in ROWS {
        let target = Target::read(method, resource);
        let seen = target.object.as_ref().map(|object| {
            [
                object.group.unwrap_or_default(),
                object.version,
                object.namespace.unwrap_or_default(),
                object.resource,
                object.name.unwrap_or_default(),
                object.subresource.unwrap_or_default(),
            ]
        });
        assert_eq!((target.path.as_str(), seen), (*path, *object), "{method} {resource}");
        assert_eq!(Some(target.verb), method.rsplit('.').next());
    }
}

#[test]
fn rebuilds_the_query() {
    let query = |method, resource, command, dry_run| {
        Target::read(method, resource).query(command, dry_run).as_str().to_owned()
    };
    let exec = "core/v1/namespaces/shop/pods/web/exec";
    assert_eq!(query("io.k8s.core.v1.pods.exec.get", exec, None, false), "");
    assert_eq!(query("io.k8s.core.v1.pods.exec.get", exec, Some("cat /a b"), false), "?command=cat+%2Fa+b");
    let pods = "core/v1/namespaces/shop/pods";
    assert_eq!(query("io.k8s.core.v1.pods.create", pods, None, true), "?dryRun=All");
    assert_eq!(query("io.k8s.core.v1.pods.watch", pods, None, false), "?watch=true");
    let pod = "core/v1/namespaces/shop/pods/web";
    assert_eq!(
        query("io.k8s.core.v1.pods.watch", pod, None, false),
        "?fieldSelector=metadata.name%3Dweb&watch=true"
    );
}
