"""A namespace of its own with a Redis in it, where a test flies its pipeline.

Everything runs in pods under the restricted Pod Security Standard; the test reaches Redis by a
port-forward. Waiting is always on a condition, with a deadline and with what was seen last.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from examples.flights.demo import install
from examples.flights.demo.commands import Kubectl
from examples.flights.demo.connection import open_client, read_password

import headrace
from tests.support import yaml_text
from tests.support.waiting import until

T = TypeVar("T")
PIPELINE = "flights"


@dataclass(frozen=True)
class Airport:
    """`kubectl` speaks to the namespace; `redis` answers bytes."""

    kubectl: Kubectl
    redis: Any

    def apply_handlers(self, code: str, name: str = "flights-handlers") -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"handlers.py": code},
        }
        self.apply(manifest)

    def apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))

    def send(self, payloads: list[dict[str, Any]], type: str = "flight.landed") -> None:
        producer = headrace.SyncProducer(self.redis, PIPELINE)
        producer.send_many(headrace.Event(type, payload) for payload in payloads)

    def group(self, name: str) -> dict[str, Any]:
        """XINFO GROUPS of one group; empty while it does not exist."""
        if not self.redis.exists(PIPELINE):
            return {}
        groups = self.redis.xinfo_groups(PIPELINE)
        return next((one for one in groups if one["name"] == name.encode()), {})

    def settled(self, group: str, total: int) -> bool:
        state = self.group(group)
        return bool(state) and (state["entries-read"] or 0) >= total and state["pending"] == 0

    def workers(self, group: str) -> list[dict[str, Any]]:
        """The group's worker pods that are not on their way out."""
        selector = f"headrace.dev/pipeline={PIPELINE},headrace.dev/group={group}"
        pods: list[dict[str, Any]] = self.kubectl.get("pods", "-l", selector)["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def condition(self, kind: str = "Ready") -> dict[str, Any]:
        """One condition of the pipeline; empty while it is absent."""
        status = self.kubectl.get("streampipeline", PIPELINE).get("status", {})
        return next((one for one in status.get("conditions", ()) if one["type"] == kind), {})

    def wait_condition(self, kind: str, *words: str, timeout: float = 60) -> str:
        """The message of condition `kind`, once it is False (Stalled: True) and has all `words`."""
        bad = "True" if kind == "Stalled" else "False"

        def look() -> str:
            condition = self.condition(kind)
            message = str(condition.get("message", ""))
            hit = condition.get("status") == bad and all(word in message for word in words)
            return message if hit else ""

        try:
            return until(f"{kind}={bad} with {words}", look, within=timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; the condition: {self.condition(kind)}") from None


def pipeline(*groups: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A StreamPipeline on the airport's Redis; `groups` as in the manifest."""
    return {
        "apiVersion": "headrace.dev/v1alpha1",
        "kind": "StreamPipeline",
        "metadata": {"name": PIPELINE},
        "spec": {
            "redis": {"endpoints": ["redis:6379"], "credentialsSecretRef": {"name": "redis-auth"}},
            "stream": {"name": PIPELINE},
            "groups": [copy.deepcopy(group) for group in groups],
            **spec,
        },
    }


def group(name: str, **changes: Any) -> dict[str, Any]:
    """A group with small, quick workers; `changes` replace whole members of it."""
    return {
        "name": name,
        "worker": {
            "runtime": "Headrace",
            "handler": f"handlers:{name}",
            "codeConfigMapRef": {"name": "flights-handlers"},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        },
        "delivery": {"handlerTimeout": "5s", "minIdle": "10s"},
        "scaling": {
            "mode": "Automatic",
            "minReplicas": 0,
            "maxReplicas": 2,
            "targetBacklog": 1000,
            "scaleDownAfter": "5s",
        },
        **changes,
    }


@contextmanager
def open_airport(kubectl: Kubectl) -> Iterator[Airport]:
    """A new namespace with its Redis."""
    with open_namespace(kubectl):
        install.start_redis(kubectl)
        password = read_password(kubectl)
        with kubectl.port_forward("service/redis", 6379) as port:
            yield Airport(kubectl, open_client(port, password))


@contextmanager
def open_namespace(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Create the namespace of `kubectl`; at the end delete it without waiting."""
    namespace = yaml_text.load((install.EXAMPLE / "namespace.yaml").read_text())
    namespace["metadata"]["name"] = kubectl.namespace
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(namespace))
    try:
        yield kubectl
    finally:
        kubectl("delete", "namespace", kubectl.namespace, "--wait=false")
