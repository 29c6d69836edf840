"""CloudFormation by cfn-lint, Terraform as far as it goes without providers, and that both say the same."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hcl2

from common import ROOT, Problems

TEMPLATE = ROOT / "cloudformation/eks-audit-reader.yaml"
TERRAFORM = ROOT / "terraform"
MODULES = ("eks", "gke", "aks")
BUILT_IN = {"path", "terraform", "count", "each", "self"}

problems = Problems()
check = problems.check


def plain(value):
    """Without the quotes and wrappings of the parser."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if key not in ("__is_block__", "__comments__", "__inline_comments__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def blocks(module, kind):
    """(labels..., body) of the blocks of a kind."""
    found = []
    for file in sorted(module.glob("*.tf")):
        with file.open() as text:
            parsed = plain(hcl2.load(text))
        for block in parsed.get(kind, []):
            labels = []
            while kind in ("resource", "data", "variable", "output", "module", "provider") and len(labels) < (2 if kind in ("resource", "data") else 1):
                (label, block), = block.items()
                labels.append(label)
            found.append((*labels, block))
    return found


def code(text):
    """The text without what stands in its strings, but with what is interpolated there, strings in it likewise."""
    out, modes, at = [], ["code"], 0
    while at < len(text):
        two, one = text[at:at + 2], text[at]
        if modes[-1] == "string":
            if two == "${":
                modes.append("interpolation")
                out.append(" ")
                at += 1
            elif one == "\\":
                at += 1
            elif one == '"':
                modes.pop()
                out.append('"')
        elif one == '"':
            modes.append("string")
            out.append('"')
        elif one == "#" and modes == ["code"]:
            at = text.find("\n", at)
        elif one in "{}" and len(modes) > 1:
            if one == "{":
                modes.append("brace")
            else:
                modes.pop()
            out.append(" ")
        else:
            out.append(one)
        at += 1
    return "".join(out)


def references(text):
    kinds = r"var|local|data|module|each|count|self|[a-z]+_[a-z0-9_]+"
    return set(re.findall(rf"(?<![\w.-])((?:{kinds})\.[a-zA-Z_][\w-]*(?:\.[a-zA-Z_][\w-]*)?)", code(text)))


def module(folder):
    where = folder.relative_to(ROOT)
    text = "\n".join(file.read_text() for file in folder.glob("*.tf"))
    variables = {name: body for name, body in blocks(folder, "variable")}
    there = {f"var.{name}" for name in variables}
    there |= {f"local.{name}" for (body,) in blocks(folder, "locals") for name in body}
    there |= {f"{kind}.{name}" for kind, name, _ in blocks(folder, "resource")}
    there |= {f"data.{kind}.{name}" for kind, name, _ in blocks(folder, "data")}
    there |= {f"module.{name}" for name, _ in blocks(folder, "module")}
    there |= {f"{body_name}.value" for body_name in re.findall(r'dynamic "(\w+)"', text)} | {f"{each}.key" for each in re.findall(r'dynamic "(\w+)"', text)}
    iterators = set(re.findall(r"\bfor (\w+)(?:, (\w+))? in", text))
    iterators = {name for pair in iterators for name in pair if name}
    for reference in references(text):
        head = reference.split(".")[0]
        if head in BUILT_IN | iterators:
            continue
        parts = reference.split(".")
        wanted = ".".join(parts[:3] if head == "data" else parts[:2])
        check(wanted in there, f"{where}: `{wanted}` is referred to and nowhere defined")
    for name, body in variables.items():
        check(body.get("description"), f"{where}: variable `{name}` has no description")
        check(body.get("type"), f"{where}: variable `{name}` has no type")
        check(f"var.{name}" in references(text), f"{where}: variable `{name}` is not used")
        for validation in body.get("validation", []):
            check(f"var.{name}" in str(validation["condition"]), f"{where}: `{name}` is validated by another")
    for name, body in blocks(folder, "output"):
        check(body.get("description"), f"{where}: output `{name}` has no description")
    return variables


def examples(folder, variables):
    outputs = {name for name, _ in blocks(folder, "output")}
    for example in sorted((folder / "examples").iterdir()):
        where = example.relative_to(ROOT)
        for name, body in blocks(example, "module"):
            check((example / body["source"]).resolve() == folder, f"{where}: another module")
            given = set(body) - {"source"}
            check(given <= set(variables), f"{where}: no such variables: {given - set(variables)}")
            needed = {key for key, variable in variables.items() if "default" not in variable}
            check(needed <= given, f"{where}: missing {needed - given}")
            text = (example / "main.tf").read_text()
            used = set(re.findall(rf"module\.{name}\.(\w+)", text))
            check(used and used <= outputs, f"{where}: no such outputs: {used - outputs}")


# What the two languages call the same things.
WORDS = {
    "${local.partition}": "PARTITION", "${local.region}": "REGION", "${local.account}": "ACCOUNT", "${local.log_group}": "LOG_GROUP",
    "${local.issuer}": "ISSUER", "${var.namespace}": "NAMESPACE", "${var.service_account}": "SERVICE_ACCOUNT", "${var.cluster_name}": "CLUSTER",
    "${var.bridge_role_arn}": "BRIDGE_ROLE",
    "${AWS::Partition}": "PARTITION", "${AWS::Region}": "REGION", "${AWS::AccountId}": "ACCOUNT", "${LogGroup}": "LOG_GROUP",
    "${Issuer}": "ISSUER", "${K8sNamespace}": "NAMESPACE", "${K8sServiceAccount}": "SERVICE_ACCOUNT", "${EksClusterName}": "CLUSTER",
    "${BridgeRoleArn}": "BRIDGE_ROLE",
}


def worded(text):
    for word, meaning in WORDS.items():
        text = text.replace(word, meaning)
    return text


def listed(value):
    return sorted(value) if isinstance(value, list) else [value]


def statement(statement):
    """A statement in one form, whichever way it was written."""
    conditions = sorted((test, key, tuple(listed(value))) for test, pairs in statement.get("Condition", {}).items() for key, value in pairs.items())
    principal = sorted((kind, tuple(listed(who))) for kind, who in statement.get("Principal", {}).items())
    return (statement["Effect"], tuple(listed(statement["Action"])), tuple(listed(statement.get("Resource", []))), tuple(principal), tuple(conditions))


def terraform_policy(documents, locals_, name):
    def resolved(text):
        for _ in range(4):
            text = re.sub(r"\$\{local\.(log_group_arn|cluster_arn)\}", lambda match: locals_[match[1]], text)
        lone = re.fullmatch(r"\$\{((?:local|var)\.\w+)\}", text)
        return worded(f"${{{lone[1]}}}" if lone else text)

    statements = []
    for body in documents[name]["statement"]:
        conditions = {}
        for condition in body.get("condition", []):
            conditions.setdefault(condition["test"], {})[resolved(condition["variable"])] = [resolved(value) for value in condition["values"]]
        statements.append(statement({
            "Effect": "Allow", "Action": body["actions"], "Resource": [resolved(resource) for resource in body.get("resources", [])],
            "Principal": {who["type"]: [resolved(each) for each in who["identifiers"]] for who in body.get("principals", [])},
            "Condition": conditions}))
    return sorted(statements)


def formation_policies():
    """The policies of the template, its conditions played through."""
    from cfnlint.decode import cfn_yaml

    role = cfn_yaml.load(str(TEMPLATE))["Resources"]["AuditReader"]["Properties"]
    trusts = {}

    def trust(node, path):
        if "Fn::If" in node:
            condition, yes, no = node["Fn::If"]
            trust(yes, [*path, condition])
            trust(no, path)
            return
        text = node["Fn::Sub"]
        text = text if isinstance(text, str) else text[0]
        trusts[{"FromOtherAccount": "role", "PodIdentity": "pod_identity"}.get(path[-1] if path else "", "irsa")] = worded(text)

    trust(role["AssumeRolePolicyDocument"], [])
    read = []
    for each in role["Policies"][0]["PolicyDocument"]["Statement"]:
        resource = each["Resource"]
        resource = worded(resource["Fn::Sub"][0] if isinstance(resource, dict) else resource)
        read.append(statement({**each, "Resource": resource}))
    policies = {f"trust_{name}": [statement(each) for each in json.loads(text)["Statement"]] for name, text in trusts.items()}
    return {**policies, "read_audit_log": sorted(read)}


lint = subprocess.run([sys.executable, "-c", "import sys; from cfnlint.runner import main; sys.exit(main())", TEMPLATE], capture_output=True, text=True, check=False)
check(lint.returncode == 0, f"cfn-lint: {lint.stdout}{lint.stderr}")

for name in MODULES:
    variables = module(TERRAFORM / name)
    examples(TERRAFORM / name, variables)

documents = {name: body for kind, name, body in blocks(TERRAFORM / "eks", "data") if kind == "aws_iam_policy_document"}
locals_ = {key: value for (body,) in blocks(TERRAFORM / "eks", "locals") for key, value in body.items()}
formation = formation_policies()
check(set(formation) == set(documents), f"other policies: {set(formation) ^ set(documents)}")
for name, policy in formation.items():
    other = terraform_policy(documents, locals_, name) if name in documents else None
    check(other == policy, f"`{name}` differs:\n  CloudFormation {policy}\n  Terraform      {other}")
actions = {action for _, action, *_ in formation["read_audit_log"]}
check(all("*" not in each for action in actions for each in action), f"wildcards: {actions}")

if shutil.which("terraform"):
    done = subprocess.run(["terraform", "fmt", "-check", "-diff", "-recursive", TERRAFORM], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"terraform fmt: {done.stdout}{done.stderr}")
else:
    print("SKIPPED: terraform fmt: there is no terraform")
problems.finish()
