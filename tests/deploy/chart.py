"""The chart: rendered over every example, valid, restricted, consistent with itself."""

import json
import os
import re

import kubernetes_validate
import yaml

from common import BRIDGES, CHART, EXAMPLES, ROOT, Problems, helm, name, pod, render, template

OLDEST, NEWEST = "1.25", "1.37"
GOLDEN = ROOT / "tests/deploy/golden"
SNAPSHOTS = ("eks", "webhook", "fan-in", "admission")
# Kinds of others, whose schemas are not Kubernetes' own, and what each must have.
FOREIGN = {
    "ServiceMonitor": ("spec.selector.matchLabels", "spec.endpoints"),
    "PrometheusRule": ("spec.groups",),
    "Certificate": ("spec.secretName", "spec.issuerRef.name", "spec.dnsNames"),
}
# What must not render, and what is said about it.
REFUSED = {
    "receiver.replicas=2": "needs PostgreSQL",
    "tls.mode=secret": "tls.secretName",
    "tls.mode=cert-manager": "tls.issuer.name",
    "tls.mode=none,auth.tokens[0].secretName=a,auth.tokens[0].key=b": "need TLS",
    "receiver.enabled=false,cloudwatch.enabled=true": "receiverUrl",
    "admission.enabled=true": "admission.secret",
    "admission.enabled=true,admission.secret=0123456789abcdef": "admission.cluster",
    "admission.enabled=true,tls.mode=none": "needs TLS",
    "cloudwatch.checkpoint=tape:x": "checkpoint",
    "cloudwatch.enable=true": "not allowed",
    "monitoring.serviceMonitor.interval=often": "interval",
}

problems = Problems()
check = problems.check


def at(item, path):
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item


def matches(selector, labels):
    return selector is not None and all(labels.get(key) == value for key, value in selector.items())


def restricted(where, spec):
    """The restricted pod security standard, and what else the house asks of a pod."""
    context = spec.get("securityContext", {})
    check(context.get("runAsNonRoot") is True, f"{where}: may run as root")
    check(context.get("seccompProfile", {}).get("type") == "RuntimeDefault", f"{where}: no seccomp profile")
    check(spec.get("enableServiceLinks") is False, f"{where}: enableServiceLinks")
    check(not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), f"{where}: host namespaces")
    allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim", "csi"}
    for volume in spec.get("volumes", []):
        check(set(volume) - {"name"} <= allowed, f"{where}: volume {volume}")
    for container in spec["containers"]:
        own = container.get("securityContext", {})
        check(own.get("allowPrivilegeEscalation") is False, f"{where}: privilege escalation")
        check(own.get("capabilities", {}).get("drop") == ["ALL"], f"{where}: capabilities")
        check(own.get("readOnlyRootFilesystem") is True, f"{where}: root file system")
        resources = container.get("resources", {})
        check("memory" in resources.get("limits", {}), f"{where}: no memory limit")
        check("cpu" not in resources.get("limits", {}), f"{where}: a CPU limit")
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        check(mounted >= volumes, f"{where}: volumes that nothing mounts: {volumes - mounted}")


def consistent(example, items):
    """Whatever names something names what is there."""
    values = (CHART / "examples" / example).read_text() if example else ""
    there = {name(item) for item in items}
    pods = [(item, *pod(item)) for item in items if pod(item)[0]]
    made = {argument.split("=", 1)[1] for item, spec, _ in pods if item["kind"] == "Job"
            for argument in spec["containers"][0]["args"] if re.match("--(tls|token)-secret=", argument)}
    made |= {at(item, "spec.secretName") for item in items if item["kind"] == "Certificate"}

    def known(kind, wanted):
        return f"{kind}/{wanted}" in there or wanted in made or wanted in values

    for item, spec, labels in pods:
        where = f"{example}: {name(item)}"
        restricted(where, spec)
        check(f"ServiceAccount/{spec['serviceAccountName']}" in there, f"{where}: no such service account")
        for volume in spec.get("volumes", []):
            sources = [volume, *volume.get("projected", {}).get("sources", [])]
            for source in sources:
                if "configMap" in source:
                    check(known("ConfigMap", source["configMap"]["name"]), f"{where}: {source}")
                if "secret" in source:
                    wanted = source["secret"].get("secretName") or source["secret"].get("name")
                    check(known("Secret", wanted), f"{where}: {source}")
        if item["kind"] == "Job":
            continue
        check(matches(item["spec"]["selector"]["matchLabels"], labels), f"{where}: selects other pods")
        check("checksum/config" in item["spec"]["template"]["metadata"]["annotations"], f"{where}: no checksum")
        replicas = item["spec"]["replicas"]
        budgets = [budget for budget in items if budget["kind"] == "PodDisruptionBudget"
                   and matches(budget["spec"]["selector"]["matchLabels"], labels)]
        check(len(budgets) == (1 if replicas > 1 else 0), f"{where}: {replicas} replicas, {len(budgets)} budgets")
        policies = [policy for policy in items if policy["kind"] == "NetworkPolicy"
                    and matches(policy["spec"]["podSelector"]["matchLabels"], labels)]
        wanted = 0 if "networkPolicy:\n  enabled: false" in values else 1
        check(len(policies) == wanted, f"{where}: {len(policies)} network policies")
        uses_api = "create" in str([role for role in items if role["kind"] == "Role"
                                    and role["metadata"]["labels"]["app.kubernetes.io/component"]
                                    == labels["app.kubernetes.io/component"]])
        check(spec["automountServiceAccountToken"] is uses_api, f"{where}: a token that is not needed, or none")
    for item in items:
        where = f"{example}: {name(item)}"
        if item["kind"] == "Service":
            chosen = [spec for _, spec, labels in pods if matches(item["spec"]["selector"], labels)
                      and labels["app.kubernetes.io/component"] != "provision"]
            check(chosen, f"{where}: selects nothing")
            for spec in chosen:
                ports = {port["name"] for port in spec["containers"][0]["ports"]}
                wanted = {port["targetPort"] for port in item["spec"]["ports"]}
                check(wanted <= ports, f"{where}: ports {wanted - ports}")
        if item["kind"] == "ServiceMonitor":
            check(any(service["kind"] == "Service" and matches(item["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
                      for service in items), f"{where}: selects nothing")
        if item["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            check(f"{item['roleRef']['kind']}/{item['roleRef']['name']}" in there, f"{where}: no such role")
            for subject in item["subjects"]:
                check(f"ServiceAccount/{subject['name']}" in there, f"{where}: no such subject")
        if item["kind"] == "Role" and item["metadata"]["name"].endswith("-checkpoint"):
            by_name = [rule for rule in item["rules"] if rule["verbs"] != ["create"]]
            check(all(rule["resources"] == ["configmaps"] for rule in item["rules"]), f"{where}: too many resources")
            check(all(len(rule["resourceNames"]) == 1 for rule in by_name), f"{where}: not limited to one object")
            checkpoint = by_name[0]["resourceNames"][0]
            check(f"ConfigMap/{checkpoint}" not in there, f"{where}: the checkpoint is templated")
        if item["kind"] == "ValidatingWebhookConfiguration":
            (webhook,) = item["webhooks"]
            check(webhook["failurePolicy"] == "Ignore" and webhook["timeoutSeconds"] <= 3, f"{where}: may block the cluster")
            check(f"Service/{webhook['clientConfig']['service']['name']}" in there, f"{where}: no such service")


def promql(example, items):
    """Every expression is PromQL, over metrics that a binary has."""
    import promql_parser

    def metrics(expression):
        found, waiting = set(), [promql_parser.parse(expression)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, promql_parser.VectorSelector):
                found.add(node.name or str(node))
            for key in ("expr", "lhs", "rhs", "vector_selector", "param"):
                child = getattr(node, key, None)
                if child is not None and not isinstance(child, (str, int, float)):
                    waiting.append(child)
            arguments = getattr(node, "args", None)
            waiting.extend(arguments if isinstance(arguments, list) else [])
        return found

    expressions = [rule["expr"] for item in items if item["kind"] == "PrometheusRule"
                   for group in item["spec"]["groups"] for rule in group["rules"]]
    for item in items:
        if item["metadata"]["name"].endswith("-dashboard"):
            board = json.loads(item["data"]["kube-audit-bridge.json"])
            check(len({panel["id"] for panel in board["panels"]}) == len(board["panels"]), "dashboard: panels share an id")
            expressions += [target["expr"].replace("$__rate_interval", "5m").replace("$namespace", "x")
                            for panel in board["panels"] for target in panel["targets"]]
    receiver = (ROOT / "receiver/src/metrics.rs").read_text()
    service = "".join(path.read_text() for path in (ROOT / "shared/service/src").rglob("*.rs"))
    bridge = (ROOT / "shared/bridge/src/metrics.rs").read_text()
    bridge += (ROOT / "bridges/eventhub/src/source/metrics.rs").read_text()
    for expression in expressions:
        try:
            used = metrics(expression)
        except ValueError as error:
            check(False, f"{example}: `{expression}`: {error}")
            continue
        check(used, f"{example}: `{expression}` reads nothing")
        for metric in used:
            # A regular expression over the bridges' prefixes counts as its end.
            base = re.sub(r'^.*_bridge_(\w+?)"?[,}].*$', r"\1", metric) if "{" in metric else metric
            prefix = re.match(r"(audit_receiver|cloudwatch_bridge|stackdriver_bridge|eventhub_bridge)_", base)
            if base.startswith("certmanager_"):
                continue
            source = receiver + service if prefix and prefix[1] == "audit_receiver" else bridge + service
            base = base[prefix.end():] if prefix else base
            names = {base, *(re.sub(f"{end}$", "", base) for end in ("_total", "_seconds", "_bytes", "_info", "_seconds_bucket", "_bytes_bucket"))}
            has = any(re.search(rf'"{re.escape(each)}"|\b{re.escape(each)}: "', source) for each in names)
            check(has, f"{example}: no binary has the metric `{metric}`")
    return len(expressions)


def documented():
    """Every value has a line about it, and the schema knows it."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    for above, line in zip(lines, lines[1:]):
        key = re.match(r"( *)([A-Za-z]+):", line)
        if key and "{ " not in line and not above.lstrip().startswith("#"):
            inside = ("runAsNonRoot", "seccompProfile", "allowPrivilegeEscalation", "requests", "limits")
            container = line.rstrip().endswith(":") and not key[1]
            structural = above.rstrip().endswith(":") and key[2] in inside
            nested = key[2] in ("runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile", "type", "cpu", "memory",
                                "limits", "readOnlyRootFilesystem", "capabilities", "drop", "apiGroups", "apiVersions", "resources",
                                "operations", "grafana_dashboard", "rules", "store", "service", "serviceAccount", "issuer")
            check(container or structural or nested, f"values.yaml: nothing says what `{line.strip()}` is")
    schema, values = json.loads((CHART / "values.schema.json").read_text()), yaml.safe_load((CHART / "values.yaml").read_text())

    def resolve(node):
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        return resolve(node["allOf"][0]) if "allOf" in node else node

    def walk(node, values, path):
        known = resolve(node).get("properties")
        if not isinstance(values, dict) or known is None:
            return
        check(set(known) - {"global"} == set(values), f"values.schema.json: `{path or '.'}` differs from values.yaml: {set(known) ^ set(values)}")
        for key, value in values.items():
            if key in known:
                walk(known[key], value, f"{path}.{key}")

    walk(schema, values, "")


for values in (None, *EXAMPLES):
    example = values.name if values else "(defaults)"
    args = ("-f", values) if values else ()
    lint = helm("lint", "--strict", CHART, *args)
    check(lint.returncode == 0, f"{example}: {lint.stdout}{lint.stderr}")
    items = render(values)
    names = [name(item) + item.get("metadata", {}).get("namespace", "") for item in items]
    check(len(set(names)) == len(names), f"{example}: two objects of one name")
    for item in items:
        if item["kind"] in FOREIGN:
            for path in FOREIGN[item["kind"]]:
                check(at(item, path), f"{example}: {name(item)} has no {path}")
            continue
        for version in (OLDEST, NEWEST):
            try:
                kubernetes_validate.validate(item, version, strict=True)
                problems.checked += 1
            except Exception as error:  # its own kinds, and those of jsonschema
                check(False, f"{example}: {name(item)} in Kubernetes {version}: {error}")
    consistent(example if values else "", items)
    expressions = promql(example, items)
    if values and values.stem in SNAPSHOTS:
        text, golden = template("-f", values)[0], GOLDEN / values.name
        if os.environ.get("UPDATE") == "1":
            golden.write_text(text)
        same = golden.exists() and golden.read_text() == text
        check(same, f"{example}: differs from {golden.relative_to(ROOT)}; if that is wanted: UPDATE=1")
    print(f"{example}: {len(items)} objects, {expressions} expressions")

for sets, told in REFUSED.items():
    text, error = template("--set", sets)
    check(text is None and told in error, f"`--set {sets}` should be refused with `{told}`: {error.strip()[-300:]}")

templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
check("lookup " not in templates, "a template looks things up: that does not work without a cluster")
documented()
problems.finish()
