"""The real binaries on what the chart renders: every flag, key and path that it writes is one that they accept.

binaries.py CERTIFICATES BINARY... : a folder with tls.crt, tls.key and ca.crt, and the binaries by path.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

from common import EXAMPLES, Problems, name, pod, render

CERTIFICATES = Path(sys.argv[1])
BINARIES = {re.sub("^tested-", "", Path(path).name): path for path in sys.argv[2:]}
# Where pods have their files.
ETC, VAR = "/etc/kube-audit-bridge", "/var/lib/kube-audit-bridge"
PATIENCE = 120

problems = Problems()
check = problems.check


def furnish(folder, container, config):
    """Makes the files that a container's volumes would hold, under a folder, and its configuration that names them there."""
    etc, var = folder / "etc", folder / "var"
    var.mkdir()
    for path in re.findall(rf"{ETC}/[\w./-]+", config):
        file = etc / Path(path).relative_to(ETC)
        file.parent.mkdir(parents=True, exist_ok=True)
        certificate = CERTIFICATES / ("ca.crt" if file.name == "ca.crt" else file.name)
        if certificate.is_file():
            shutil.copy(certificate, file)
        elif not file.exists() and "." not in file.name and "rules" in file.name:
            file.mkdir()
        elif not file.exists():
            file.write_text("a-token-of-some-length\n")
    etc.mkdir(exist_ok=True)
    (etc / "config.yaml").write_text(config.replace(ETC, str(etc)).replace(VAR, str(var)))
    mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
    for path in re.findall(rf"(?:{ETC}|{VAR})[\w./-]*", config):
        check(any(path.startswith(mount) for mount in mounted), f"nothing is mounted at `{path}`")
    return etc / "config.yaml"


def arguments(container, config):
    return [str(config) if argument == f"{ETC}/config.yaml" else argument for argument in container["args"]]


def environment(container, folder):
    values = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    for variable in container.get("env", []):
        value = variable.get("value")
        # What stands in a secret of the reader's.
        values[variable["name"]] = f"sqlite:{folder}/var/receiver.db" if value is None else value
    # Files of the reader's, and proxies, are not here.
    return {key: value for key, value in values.items() if key == "HOME" or not (key.endswith("_PROXY") or value.startswith("/etc/"))}


def bridge(where, container, config, folder):
    binary = BINARIES.get(container["name"])
    if binary is None:
        return print(f"SKIPPED: {where}: there is no binary of {container['name']}")
    args = arguments(container, config)
    check(args[0] == "run", f"{where}: {args}")
    done = subprocess.run([binary, "check", "--offline", *args[1:]], capture_output=True, text=True, env=environment(container, folder), check=False)
    check(done.returncode == 0, f"{where}: {container['name']} check --offline says {done.returncode}:\n{done.stdout}{done.stderr}")
    broken = config.with_name("broken.yaml")
    broken.write_text(config.read_text() + "\nno_such_key: 1\n")
    args = [str(broken) if argument == str(config) else argument for argument in args]
    done = subprocess.run([binary, "check", "--offline", *args[1:]], capture_output=True, text=True, env=environment(container, folder), check=False)
    check(done.returncode == 2 and "no_such_key" in done.stderr, f"{where}: an unknown key is not told: {done.returncode} {done.stderr}")


def receiver(where, container, config, folder):
    settings = yaml.safe_load(config.read_text())
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check(settings["listen"].endswith(f":{ports['intake']}"), f"{where}: listens elsewhere than its port")
    check(settings["admin"]["listen"].endswith(f":{ports['admin']}"), f"{where}: is probed elsewhere than its port")
    own = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    said = folder / "stderr"
    with said.open("w") as stderr:
        started = subprocess.Popen([BINARIES["audit-receiver"], *arguments(container, config), *own], stderr=stderr,
                                   stdout=subprocess.DEVNULL, env=environment(container, folder))
    until = time.monotonic() + PATIENCE
    while not (ready := probed(container, said.read_text())) and started.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    check(ready, f"{where}: the receiver does not start:\n{said.read_text()}")
    started.send_signal(signal.SIGTERM)
    started.wait(timeout=PATIENCE)
    check(started.returncode == 0, f"{where}: the receiver ends with {started.returncode}:\n{said.read_text()}")


def probed(container, said):
    """Whether the probes of a container that has said this are content."""
    admin = re.search(r"(?m)^listening admin (\S+)$", said)
    try:
        for probe in ("livenessProbe", "readinessProbe"):
            with urllib.request.urlopen(f"http://{admin[1]}{container[probe]['httpGet']['path']}", timeout=5):
                pass
    except (OSError, TypeError):
        return False
    return True


def job(where, container):
    """Outside of a cluster it can't run; its arguments must be understood nevertheless."""
    done = subprocess.run([BINARIES["audit-receiver"], *container["args"]], capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin"}, check=False)
    told = done.returncode == 1 and "KUBERNETES_SERVICE_HOST" in done.stderr
    check(told, f"{where}: {container['args']}: {done.returncode}: {done.stderr}")


for values in (None, *EXAMPLES):
    example = values.name if values else "(defaults)"
    items = render(values)
    configs = {item["metadata"]["name"]: item["data"] for item in items if item["kind"] == "ConfigMap"}
    for item in items:
        spec, _ = pod(item)
        if spec is None:
            continue
        where, container = f"{example}: {name(item)}", spec["containers"][0]
        if item["kind"] == "Job":
            job(where, container)
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            config = furnish(folder, container, configs[volumes["config"]["configMap"]["name"]]["config.yaml"])
            if "rules" in volumes:
                rules = folder / "etc/rules"
                for file, text in configs[volumes["rules"]["configMap"]["name"]].items():
                    (rules / file).write_text(text)
            run = receiver if container["name"] == "audit-receiver" else bridge
            run(where, container, config, folder)
            print(f"{where}: {container['name']}")
problems.finish()
