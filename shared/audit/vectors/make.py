#!/usr/bin/env python3
"""Writes identity.jsonl: the definition of the event identity once more, independent of the crate."""
import hashlib, json, pathlib, struct
from datetime import datetime, timezone

OBJECT = ["resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"]
BASE = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
    "auditID": "0f2c1e5a-4d0a-4a39-9d0b-1c7b9a7c4b11", "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/secrets/db", "verb": "get",
    "user": {"username": "alice", "groups": ["dev"]}, "sourceIPs": ["10.0.0.7"],
    "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1"},
    "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z", "stageTimestamp": "2026-01-02T03:04:05.100007Z",
}


def component(value):
    if value is None:
        return b"\0"
    data = value.encode()
    return b"\1" + struct.pack(">Q", len(data)) + data


def instant(text):
    if text is None:
        return None
    head, fraction = text.rstrip("Z"), "0"
    if "+" in head[19:]:
        moment = datetime.fromisoformat(head)
        return str(int(moment.timestamp()) * 10**9)
    if "." in head:
        head, fraction = head.split(".")
    seconds = int(datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp())
    return str(seconds * 10**9 + int(fraction.ljust(9, "0")[:9]))


def identity(event, cluster):
    received, stage = instant(event.get("requestReceivedTimestamp")), instant(event.get("stageTimestamp"))
    parts = ["audit-event/1", cluster, event.get("auditID"), event.get("stage"), received or stage, stage or received,
             event.get("verb"), event.get("requestURI"), (event.get("user") or {}).get("username")]
    parts += [(event.get("objectRef") or {}).get(name) for name in OBJECT]
    return hashlib.sha256(b"".join(component(part) for part in parts)).digest()[:16].hex()


def changed(**changes):
    event = {**BASE, **changes}
    return {key: value for key, value in event.items() if value is not ...}


CASES = [
    ("base", BASE, "cluster-1", None),
    ("annotations and bodies stay out", changed(annotations={"cluster_name": "x"}, responseObject={"a": 1}, level="Request"), "cluster-1", "base"),
    ("another spelling of the same instant", changed(stageTimestamp="2026-01-02T03:04:05.100007000Z"), "cluster-1", "base"),
    ("another cluster", BASE, "cluster-2", None),
    ("no cluster", BASE, None, None),
    ("empty cluster", BASE, "", None),
    ("same audit ID, another stage", changed(stage="ResponseStarted"), "cluster-1", None),
    ("same audit ID, another verb", changed(verb="delete"), "cluster-1", None),
    ("same audit ID, another URI", changed(requestURI="/api/v1/namespaces/shop/secrets/other"), "cluster-1", None),
    ("same audit ID, another user", changed(user={"username": "mallory"}), "cluster-1", None),
    ("no user", changed(user={}), "cluster-1", None),
    ("empty user name", changed(user={"username": ""}), "cluster-1", None),
    ("same audit ID, another object", changed(objectRef={**BASE["objectRef"], "name": "other"}), "cluster-1", None),
    ("no object", changed(objectRef=...), "cluster-1", None),
    ("same audit ID, another moment", changed(stageTimestamp="2026-01-02T03:04:05.100008Z"), "cluster-1", None),
    ("one time only", changed(requestReceivedTimestamp=...), "cluster-1", None),
    ("the other time is the same", changed(requestReceivedTimestamp=BASE["stageTimestamp"]), "cluster-1", "one time only"),
    ("no audit ID", changed(auditID=...), "cluster-1", None),
    ("text beyond ASCII", changed(user={"username": "zoë\u0000\"\\"}), "cluster-1", None),
    ("zone other than Z", changed(requestReceivedTimestamp="2026-01-02T04:04:05+01:00", stageTimestamp="2026-01-02T04:04:05+01:00"), "cluster-1", None),
    ("the same in Z", changed(requestReceivedTimestamp="2026-01-02T03:04:05Z", stageTimestamp="2026-01-02T03:04:05Z"), "cluster-1", "zone other than Z"),
]

with open(pathlib.Path(__file__).with_name("identity.jsonl"), "w") as out:
    for name, event, cluster, same_as in CASES:
        line = {"name": name, "cluster_id": cluster, "event": json.dumps(event), "identity": identity(event, cluster)}
        out.write(json.dumps(line | ({"same_as": same_as} if same_as else {})) + "\n")
