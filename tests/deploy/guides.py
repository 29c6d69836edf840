"""The guides: every YAML in them is valid and fits the chart, every file that they name is there, every command's flags are known
where that can be known. The audit policy is read as kube-apiserver reads it, and does what it promises."""

import re
import subprocess
import tempfile
from pathlib import Path

import yaml
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config

from common import CHART, ROOT, Problems, template

GUIDES = sorted([*(ROOT / "deploy").glob("*.md"), *(ROOT / "terraform").glob("**/README.md"), ROOT / "cloudformation/README.md"])
AUDIT = ROOT / "deploy/audit"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())

problems = Problems()
check = problems.check


def fences(text, language):
    return [re.sub(r"(?m)^ {4}", "", block) if block.startswith("    ") else block
            for block in re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)]


def guide(path):
    where, text = path.relative_to(ROOT), path.read_text()
    for block in fences(text, "yaml"):
        try:
            documents = [document for document in yaml.safe_load_all(block) if document]
        except yaml.YAMLError as error:
            check(False, f"{where}: {error}")
            continue
        for document in documents:
            problems.checked += 1
            if set(document) <= set(VALUES):
                with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
                    yaml.safe_dump(document, values)
                    values.flush()
                    rendered, error = template("-f", values.name)
                check(rendered is not None, f"{where}: the chart refuses {sorted(document)}: {error.strip()[-300:]}")
            elif "apiVersion" in document:
                check(document.get("kind"), f"{where}: {document}")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        check((path.parent / link).exists(), f"{where}: no `{link}`")
    for block in fences(text, "sh"):
        for named in re.findall(r"(?<![\w/.~])(?<!exec )((?:deploy|cloudformation|terraform)/[\w./-]+)", block):
            check((ROOT / named).exists(), f"{where}: no `{named}`")
        syntax = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        check(syntax.returncode == 0, f"{where}: {syntax.stderr}")
    rules = (ROOT / "receiver/rules/builtin").glob("*.yaml")
    known = set(re.findall(r"(?m)^- rule: (.+)$", "".join(file.read_text() for file in rules)))
    for wanted in re.findall(r"alert,?\s+`([A-Z][^`]+)`", text):
        check(" ".join(wanted.split()) in known, f"{where}: there is no rule `{wanted}`")
    if path.parent.name == "deploy":
        check("\n## How to see that it works\n" in text, f"{where}: how to see that it works?")


FIELDS = {"level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages", "omitManagedFields"}
LEVELS = ("None", "Metadata", "Request", "RequestResponse")


def policy():
    document = yaml.safe_load((AUDIT / "policy.yaml").read_text())
    check(document["apiVersion"] == "audit.k8s.io/v1" and document["kind"] == "Policy", "policy: another kind")
    check(set(document) <= {"apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"}, f"policy: {set(document)}")
    for rule in document["rules"]:
        check(set(rule) <= FIELDS and rule["level"] in LEVELS, f"policy: {rule}")
        check(not ("resources" in rule and "nonResourceURLs" in rule), f"policy: resources and URLs in one rule: {rule}")
        for group in rule.get("resources", []):
            check(set(group) <= {"group", "resources", "resourceNames"} and "/" not in group["group"], f"policy: {group}")
        for url in rule.get("nonResourceURLs", []):
            check(url.startswith("/") and "*" not in url[:-1], f"policy: {url}")

    def fits(rule, request):
        """As k8s.io/apiserver/pkg/audit/policy: each list that is given must fit."""
        if rule.get("users") and request["user"] not in rule["users"]:
            return False
        if rule.get("userGroups") and not set(rule["userGroups"]) & set(request["groups"]):
            return False
        if rule.get("verbs") and request["verb"] not in rule["verbs"]:
            return False
        if not (rule.get("resources") or rule.get("nonResourceURLs")):
            return True
        if "path" in request:
            return any(url == request["path"] or url.endswith("*") and request["path"].startswith(url[:-1])
                       for url in rule.get("nonResourceURLs", []))
        group, resource = request["resource"]
        whole, _, sub = resource.partition("/")
        return any(each["group"] == group and (not each.get("resources") or any(
            wanted in (resource, "*") or wanted == f"{whole}/*" and sub or wanted == f"*/{sub}" and sub for wanted in each["resources"]))
            for each in rule.get("resources", []))

    def level(user, verb, resource=None, path=None, groups=("system:authenticated",)):
        request = {"user": user, "groups": groups, "verb": verb}
        request.update({"path": path} if path else {"resource": resource})
        return next((rule["level"] for rule in document["rules"] if fits(rule, request)), "None")

    node = ("system:nodes", "system:authenticated")
    controller = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    core, rbac = "", "rbac.authorization.k8s.io"
    for expected, seen in [
        ("Metadata", level("eve", "get", (core, "secrets"))),
        ("Metadata", level("eve", "create", (core, "secrets"))),
        ("Metadata", level("system:node:a", "get", (core, "secrets"), groups=node)),
        ("Metadata", level("eve", "create", (core, "serviceaccounts/token"))),
        ("Metadata", level("eve", "create", ("authentication.k8s.io", "tokenreviews"))),
        *[("Metadata", level("eve", verb, (core, f"pods/{sub}"))) for verb in ("get", "create") for sub in ("exec", "attach", "portforward")],
        ("Metadata", level("eve", "get", (core, "nodes/proxy"))),
        ("Request", level("eve", "create", (core, "configmaps"))),
        ("RequestResponse", level("eve", "create", (core, "pods"))),
        ("RequestResponse", level("eve", "patch", (core, "pods/ephemeralcontainers"))),
        ("RequestResponse", level("eve", "update", (rbac, "clusterrolebindings"))),
        ("RequestResponse", level("eve", "create", ("admissionregistration.k8s.io", "validatingwebhookconfigurations"))),
        ("Metadata", level("eve", "list", (core, "pods"))),
        ("Metadata", level("system:anonymous", "get", path="/api", groups=("system:unauthenticated",))),
        ("None", level("eve", "get", path="/healthz")),
        ("None", level("system:kube-controller-manager", "update", ("coordination.k8s.io", "leases"))),
        ("None", level("system:node:a", "update", ("coordination.k8s.io", "leases"), groups=node)),
        ("None", level("system:serviceaccount:kube-system:x", "update", ("coordination.k8s.io", "leases"), groups=controller)),
        ("Metadata", level("eve", "update", ("coordination.k8s.io", "leases"))),
        ("None", level("system:node:a", "get", (core, "pods"), groups=node)),
        ("None", level("eve", "create", (core, "events"))),
    ]:
        check(expected == seen, f"policy: expected {expected}, found {seen}")


def kubeconfig():
    path = AUDIT / "webhook.yaml"
    document = yaml.safe_load(path.read_text())
    (context,), (cluster,), (user,) = document["contexts"], document["clusters"], document["users"]
    check(document["current-context"] == context["name"], "webhook: another context")
    check(context["context"] == {"cluster": cluster["name"], "user": user["name"]}, "webhook: names")
    server = cluster["cluster"]["server"]
    check(server.startswith("https://"), "webhook: a token is sent over https only")
    check("?" not in server and "/k8s_audit/" in server, "webhook: kube-apiserver drops a query")
    rendered, _ = template()
    name = re.search(r"--name=(\S+\.svc)\n", rendered)[1]
    check(cluster["cluster"]["tls-server-name"] == name, f"webhook: the chart's certificate is for `{name}`")
    # The official client reads it as API servers do, but for where a token may go.
    read = Configuration()
    load_kube_config(config_file=str(path), client_configuration=read)
    check(read.host == server, f"webhook: read as `{read.host}`")
    check(read.tls_server_name == name, f"webhook: the certificate must be for `{read.tls_server_name}`")
    check(list(read.api_key.values()) == [f"Bearer {user['user']['token']}"], "webhook: the token is not read")
    check(Path(read.ssl_ca_cert).read_text() == "CA.crt in base64", "webhook: the authority is not read")


for path in GUIDES:
    guide(path)
policy()
kubeconfig()
wanted = {"eks", "gke", "aks", "openshift", "kops", "rke2-k3s", "iks", "minikube", "kubeadm", "fan-in"}
check(wanted <= {path.stem for path in GUIDES}, "a guide is missing")
problems.finish()
