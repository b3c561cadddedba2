"""Nothing is touched that the operator does not own, and no secret is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    EVENT,
    SECRET,
    STREAM_PIPELINE,
)
from tests.hostile.oracles import Violation
from tests.hostile.pipelines import Manifest
from tests.hostile.world import World

NAME = "bystander"
BYSTANDER = "example.com/bystander"
LABELS = {
    "app.kubernetes.io/managed-by": "headrace",
    "headrace.dev/pipeline": "flights",
    "headrace.dev/group": "audit",
    BYSTANDER: "",
}
"""They look like children, and are nobody's."""
STREAM = "other"


class Bystanders:
    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[str, Any] = {}

    def begin(self) -> None:
        for manifest in _manifests(self._world.namespace):
            self._world.kube.create(manifest)
        with self._world.calm_client() as client:
            stream = f"{self._world.namespace}:{STREAM}"
            client.xadd(stream, {"type": "t"}, id="5-1")
            client.xgroup_create(stream, "audit", id="0")
        self._before = self._look()

    def check(self) -> Iterator[Violation]:
        now = self._look()
        for name, before in self._before.items():
            if now[name] != before:
                yield Violation("bystanders", f"{name} was {before} and is {now[name]}")

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind in (DEPLOYMENT, CRON_JOB, CONFIG_MAP, SECRET):
            live = self._world.kube.get(kind, self._world.namespace, NAME)
            found[kind.kind] = live and _kept(live)
        with self._world.calm_client() as client:
            stream = f"{self._world.namespace}:{STREAM}"
            found["stream"] = str(client.xinfo_groups(stream))
        return found


def told(world: World, log: str) -> Iterator[Violation]:
    """The password in a log line, a status or an Event."""
    places = {"the log": log}
    for manifest in world.kube.list(STREAM_PIPELINE, world.namespace):
        places["a status"] = json.dumps(manifest.get("status"))
    places["an Event"] = json.dumps(world.kube.list(EVENT, world.namespace))
    for hidden in (world.secret, base64.b64encode(world.secret.encode()).decode()):
        for place, text in places.items():
            if hidden in text:
                yield Violation("no secret", f"the password stands in {place}")


def _kept(live: Manifest) -> Manifest:
    """All but what Kubernetes's own controllers write."""
    metadata = live["metadata"]
    notes = {
        k: v for k, v in (metadata.get("annotations") or {}).items() if "kubernetes.io" not in k
    }
    return {
        "uid": metadata["uid"],
        "labels": metadata.get("labels"),
        "annotations": notes,
        "generation": metadata.get("generation"),
        "deleted": "deletionTimestamp" in metadata,
        "owners": metadata.get("ownerReferences"),
        "data": live.get("data"),
    }


def _manifests(namespace: str) -> Iterator[Manifest]:
    pod = {"containers": [{"name": "one", "image": "none"}]}
    labels = {"app": NAME}
    for kind, body in (
        (
            DEPLOYMENT,
            {
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                }
            },
        ),
        (
            CRON_JOB,
            {
                "spec": {
                    "schedule": "0 0 1 1 *",
                    "jobTemplate": {
                        "spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}
                    },
                }
            },
        ),
        (CONFIG_MAP, {"data": {"a": "b"}}),
        (SECRET, {}),
    ):
        metadata = {"name": NAME, "namespace": namespace, "labels": LABELS}
        yield {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}
