"""Redis that fails over, in pods: a Sentinel set, and a Cluster of three shards.

The test reaches each server by a port-forward. What servers say of each other are pods' addresses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import redis
import yaml
from examples.flights.demo.commands import Kubectl

from tests.support.redis_topologies import MASTER, owner_of, plain, share_slots, until

IMAGE = "docker.io/library/redis:8.0"
PORT, SENTINEL_PORT = 6379, 26379
FROZEN_SECONDS = 8
"""Longer than sentinels and nodes are patient."""


class RedisPods:
    """`ports`: a pod's address -> the port here that leads to it."""

    settings: dict[str, Any]
    """`redis` of a pipeline, once they are started."""
    stream: ClassVar[str]
    """A name for a stream whose outputs may lie beside it."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    def start(self, kubectl: Kubectl, open_ports: contextlib.ExitStack) -> None:
        """Start the pods, and wait until they serve. `open_ports` ends the port-forwards."""
        raise NotImplementedError

    def primary(self, key: str) -> int:
        """The port that leads to the key's primary. Raises ConnectionError while nobody tells."""
        raise NotImplementedError

    def freeze_primary(self, key: str) -> None:
        """It is silent until its replica has taken over, and then lives on as a replica."""
        before = self.primary(key)
        frozen = redis.Redis(port=before, socket_timeout=FROZEN_SECONDS + 5, retry=None)
        connection = frozen.connection_pool.get_connection()
        connection.send_command("DEBUG", "SLEEP", FROZEN_SECONDS)
        until(lambda: self.primary(key) != before, "the failover")
        connection.read_response()
        until(lambda: plain(before).info("replication")["role"] == "slave", "the old one to follow")


class SentinelPods(RedisPods):
    """A primary, a replica and three sentinels."""

    stream = "flights"

    def start(self, kubectl: Kubectl, open_ports: contextlib.ExitStack) -> None:
        self.ports |= _start(kubectl, open_ports, "redis", 2, PORT, _server())
        first, second = self.ports
        plain(self.ports[second]).replicaof(first, PORT)
        until(lambda: plain(self.ports[first]).info("replication")["connected_slaves"], "a replica")
        lines = (
            f"port {SENTINEL_PORT}",
            "protected-mode no",
            f"sentinel monitor {MASTER} {first} {PORT} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
        )
        # It writes into its file, so the file cannot be a ConfigMap's.
        written = " ".join(f"'{line}'" for line in lines)
        command = f"printf '%s\\n' {written} > s.conf && exec redis-server s.conf --sentinel"
        sentinels = _start(kubectl, open_ports, "sentinel", 3, SENTINEL_PORT, ["sh", "-c", command])
        self._sentinels = list(sentinels.values())
        names = [f"sentinel-{number}.sentinel.{kubectl.namespace}" for number in range(3)]
        self.settings = {
            "mode": "Sentinel",
            "endpoints": [f"{name}:{SENTINEL_PORT}" for name in names],
            "sentinel": {"masterName": MASTER},
        }
        for port in self._sentinels:
            until(lambda at=port: self._knows_all(at), "sentinels that know each other")

    def _knows_all(self, sentinel: int) -> bool:
        known: Any = plain(sentinel).sentinel_masters()
        return bool(known[MASTER]["num-other-sentinels"] == 2 and known[MASTER]["num-slaves"] == 1)

    def primary(self, key: str) -> int:
        for port in self._sentinels:
            with contextlib.suppress(redis.RedisError):
                host: Any = plain(port).sentinel_get_master_addr_by_name(MASTER)[0]
                return self.ports[host.decode()]
        raise redis.ConnectionError("no sentinel answers")


class ClusterPods(RedisPods):
    """Three shards, each a primary and a replica."""

    stream = "{flights}"

    def start(self, kubectl: Kubectl, open_ports: contextlib.ExitStack) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
        self.ports |= _start(kubectl, open_ports, "redis", 6, PORT, _server(*options))
        share_slots([(plain(port), (ip, PORT)) for ip, port in self.ports.items()])
        names = [f"redis-{number}.redis.{kubectl.namespace}" for number in (5, 0)]
        self.settings = {"mode": "Cluster", "endpoints": [f"{name}:{PORT}" for name in names]}

    def primary(self, key: str) -> int:
        return self.ports[owner_of(key, self.ports.values())[0]]


def _server(*options: str) -> list[str]:
    told = ("--appendonly", "yes", "--protected-mode", "no", "--enable-debug-command", "yes")
    return ["redis-server", *told, "--repl-diskless-sync-delay", "0", *options]


def _start(
    kubectl: Kubectl,
    open_ports: contextlib.ExitStack,
    name: str,
    count: int,
    port: int,
    command: list[str],
) -> dict[str, int]:
    """Start so many pods; each one's address, and a port here that leads to it."""
    objects = _objects(name, count, port, command)
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
    kubectl("rollout", "status", f"statefulset/{name}", "--timeout=180s", timeout=200)
    names = [f"{name}-{number}" for number in range(count)]
    return {
        str(kubectl.get("pod", pod)["status"]["podIP"]): open_ports.enter_context(
            kubectl.port_forward(f"pod/{pod}", port)
        )
        for pod in names
    }


def _objects(name: str, count: int, port: int, command: list[str]) -> Iterator[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": name}
    container = {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "workingDir": "/data",
        "readinessProbe": {
            "exec": {"command": ["redis-cli", "-p", str(port), "ping"]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        },
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "runAsGroup": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels,
            "ports": [{"name": name, "port": port}],
        },
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "serviceName": name,
            "replicas": count,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
