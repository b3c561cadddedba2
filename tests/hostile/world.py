"""One seed's part of the cluster: its namespaces, its Redis, its pipelines and who looks on."""

from __future__ import annotations

import base64
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any
from uuid import uuid4

import redis

from headrace.streams.keys import StreamKeys, UnusableName
from headrace_operator.kube.kinds import NAMESPACE, STREAM_PIPELINE
from tests.hostile import pipelines, rights
from tests.hostile.pipelines import CODE, PASSWORD, SETTINGS, Manifest
from tests.hostile.stage import Stage
from tests.hostile.story import Shape
from tests.support.kube import Kube, Refused
from tests.support.redis_servers import RedisServer

Undo = Callable[[], None]
OPERATOR_AWAY = "operator away"
UNSERVED_SECONDS = 3.0


class World:
    """`manifest` is what its person wants now; `causes` are the hostile things in force, in the
    words of `oracles.REASONS`."""

    def __init__(self, stage: Stage, seed: int, shape: Shape) -> None:
        self.stage = stage
        self.shape = shape
        self.kube = Kube(stage.kubeconfig)
        self.id = f"{seed}-{uuid4().hex[:4]}"
        self.namespace = f"h-{self.id}"
        self.elsewhere = ""
        self.secret = f"s3cret-{uuid4().hex}"
        self.causes: Counter[str] = Counter()
        self.redis = RedisServer("redis")
        self.second_redis: RedisServer | None = None
        self.manifest: Manifest = {}
        self.replicas_by_hand: dict[str, int] = {}
        self.policy_flipped = False
        self.something_was_deleted = False
        """A Deployment may be gone or new by request."""
        self.left: set[str] = set()
        """Consumer groups that left the spec."""

    def build(self) -> None:
        self._make_namespace(self.namespace)
        self._move_in(self.namespace)
        try:
            self.elsewhere = self.stage.elsewhere.get_nowait()
        except Empty:
            self.elsewhere = f"{self.namespace}-e"
            self._make_namespace(self.elsewhere)
            self._move_in(self.elsewhere)
        self.redis.start()
        self.set_password(self.redis)
        for manifest in self.referenced():
            self.kube.create(manifest)
        self.manifest = pipelines.victim(self.namespace, self.redis.endpoint, self.shape)
        self.apply()

    def _make_namespace(self, name: str) -> None:
        self.kube.create({"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": {"name": name}})
        for role in (rights.WRITE, rights.SECRETS):
            rights.bind(self.kube, name, role)

    def _move_in(self, namespace: str) -> None:
        stream = self.calm_stream(namespace)
        self.kube.apply(pipelines.neighbour(namespace, self.stage.calm.endpoint, stream))

    def tear_down(self) -> None:
        for one in (self.redis, self.second_redis):
            if one is not None:
                with contextlib.suppress(Exception):
                    self.thaw(one)
                one.stop()
        self.stage.kubelet.fall_ill(self.namespace, self.name, None)
        if self.elsewhere:
            self.stage.elsewhere.put(self.elsewhere)
        for manifest in self.kube.list(STREAM_PIPELINE, self.namespace):
            name = manifest["metadata"]["name"]
            self.delete_pipeline(name)
            with contextlib.suppress(Refused):  # nobody may be left to clean up
                self.patch_pipeline({"metadata": {"finalizers": None}}, name)
        with contextlib.suppress(Refused):
            self.kube.delete_namespace(self.namespace)
        self.stage.seen.forget(self.namespace)

    # What the person wants

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def spec(self) -> Manifest:
        spec: Manifest = self.manifest["spec"]
        return spec

    @property
    def groups(self) -> list[Manifest]:
        groups: list[Manifest] = self.spec["groups"]
        return groups

    def group(self, name: str) -> Manifest | None:
        return next((one for one in self.groups if one["name"] == name), None)

    def apply(self) -> bool:
        """Server-side apply; False when the API server refuses the spec or somebody's admission
        fails: then the person has to take it back."""
        try:
            self.kube.apply(self.manifest)
        except Refused as refusal:
            if refusal.status in (400, 403, 409, 422, 500):
                return False
            raise
        return True

    def live(self, name: str = "") -> Manifest | None:
        return self.kube.get(STREAM_PIPELINE, self.namespace, name or self.name)

    def patch_pipeline(self, patch: Manifest, name: str = "", sub: str | None = None) -> None:
        self.kube.patch(STREAM_PIPELINE, self.namespace, name or self.name, patch, sub=sub)

    def delete_pipeline(self, name: str, propagation: str = "Background") -> None:
        path = STREAM_PIPELINE.path(self.namespace, name)
        self.something_was_deleted = True
        with contextlib.suppress(Refused):
            self.kube.request("DELETE", path, {"propagationPolicy": propagation})

    def referenced(self) -> list[Manifest]:
        """The Secrets and the ConfigMap that the pipeline names."""

        def one(kind: str, name: str, data: dict[str, str]) -> Manifest:
            metadata = {"name": name, "namespace": self.namespace}
            return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}

        hidden = base64.b64encode(self.secret.encode()).decode()
        return [
            one("Secret", PASSWORD, {"password": hidden}),
            one("Secret", SETTINGS, {"TOKEN": hidden}),
            one("ConfigMap", CODE, {"handlers.py": "app = 1\n"}),
        ]

    # Redis

    @contextlib.contextmanager
    def client(self, server: RedisServer | None = None) -> Iterator[redis.Redis]:
        password = self.secret if self.shape.password else None
        port = (server or self.redis).port
        with redis.Redis(
            port=port, password=password, decode_responses=True, socket_timeout=3
        ) as client:
            yield client

    def set_password(self, server: RedisServer) -> None:
        if self.shape.password:
            with redis.Redis(port=server.port) as client:
                client.config_set("requirepass", self.secret)

    def thaw(self, server: RedisServer) -> None:
        if server.process is not None:
            server.process.send_signal(signal.SIGCONT)

    @property
    def forgets(self) -> bool:
        """Groups that leave are dropped, and always were."""
        return not self.policy_flipped and self.spec.get("deletionPolicy") == "Delete"

    @property
    def redis_is_well(self) -> bool:
        return not self.causes["redis"] and not self.causes["password"]

    def state_key(self, consumer_group: str) -> str:
        return StreamKeys(self.spec["stream"]["name"]).for_group(consumer_group).state

    def owner(self, consumer_group: str) -> str:
        """Who claims it, in the operator's words; empty: nobody."""
        try:
            key = self.state_key(consumer_group)
        except UnusableName:
            return ""
        with self.client() as client:
            return str(client.hget(key, "owner") or "")

    def backlog(self) -> dict[str, int]:
        """Entries that each group has not read; only groups that exist."""
        with self.client() as client:
            if client.type("flights") != "stream":
                return {}
            return {one["name"]: one.get("lag") or 0 for one in client.xinfo_groups("flights")}

    def calm_client(self) -> redis.Redis:
        """To the Redis that nobody harms."""
        return redis.Redis(port=self.stage.calm.port, decode_responses=True)

    def push(self, count: int) -> None:
        with self.client() as client, client.pipeline(transaction=False) as batch:
            for number in range(count):
                batch.xadd("flights", {"type": "t", "payload": str(number)})
            batch.execute()

    def drain(self) -> None:
        """As if workers had done everything, and long ago: the counter of what was added goes
        back, so that no rate is reckoned from it."""
        with self.client() as client, contextlib.suppress(redis.ResponseError):
            last = client.xinfo_stream("flights")["last-generated-id"]
            added: Any = client.xinfo_stream("flights")["entries-added"]
            client.xtrim("flights", maxlen=1, approximate=False)
            if added > 1:
                added -= 1
                client.execute_command("XSETID", "flights", last, "ENTRIESADDED", added)
            for one in client.xinfo_groups("flights"):
                client.xgroup_setid("flights", one["name"], last, entries_read=added)

    def calm_stream(self, namespace: str) -> str:
        return f"calm-{namespace}"

    # Time

    @property
    def served(self) -> float:
        return self.stage.operator.served

    def until(self, look: Callable[[], object], within: float) -> bool:
        """True as soon as `look` answers something true; False after so many served seconds, or
        soon while this very story holds the operator down: nobody would do it."""
        patience = UNSERVED_SECONDS if self.causes[OPERATOR_AWAY] else 10 * within + 60
        deadline, hard = self.served + within, time.monotonic() + patience
        while not look():
            if self.served > deadline or time.monotonic() > hard:
                return False
            time.sleep(0.1)
        return True
