"""What the checks of deploy/, terraform/ and cloudformation/ share."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/kube-audit-bridge"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
RELEASE, NAMESPACE = "kube-audit-bridge", "kube-audit-bridge"
BRIDGES = ("cloudwatch", "stackdriver", "eventhub")


class Problems:
    """Everything that is wrong, told at once."""

    def __init__(self):
        self.told, self.checked = [], 0

    def check(self, true, problem):
        self.checked += 1
        if not true:
            self.told.append(problem)
        return bool(true)

    def finish(self):
        for problem in self.told:
            print(f"PROBLEM: {problem}")
        print(f"{Path(sys.argv[0]).stem}: {self.checked} checks, {len(self.told)} problems")
        sys.exit(1 if self.told else 0)


def helm(*args):
    """The real helm, from the PyPI package that bears it."""
    folder = next(Path(path) for path in sys.path if (Path(path) / "bin/helm").exists())
    return subprocess.run([folder / "bin/helm", *map(str, args)], capture_output=True, text=True,
                          env={**os.environ, "HELM_CACHE_HOME": "/nonexistent", "HOME": "/nonexistent"}, check=False)


def template(*args):
    """The text of `helm template`; an error's text when it fails."""
    done = helm("template", RELEASE, CHART, "--namespace", NAMESPACE, *args)
    return done.stdout if done.returncode == 0 else None, done.stderr


def render(values=None):
    """The objects of a release with a file of values."""
    text, error = template(*(("-f", values) if values else ()))
    if text is None:
        raise SystemExit(f"PROBLEM: {values}: {error}")
    return [item for item in yaml.safe_load_all(text) if item]


def name(item):
    return f"{item['kind']}/{item['metadata']['name']}"


def pod(item):
    """The pod's spec and labels of what makes pods."""
    template = item.get("spec", {}).get("template") if item["kind"] in ("Deployment", "StatefulSet", "Job") else None
    return (template["spec"], template["metadata"]["labels"]) if template else (None, None)
