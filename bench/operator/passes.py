"""`python -m bench.operator.passes [--passes 300]`: CPU of one reconcile pass, without a network.

The real reconciler over a cache of real manifests and an API server in memory; the backlog moves
with each pass, as that of a busy pipeline does. Prints milliseconds of CPU for each world, and
what they are in units of one JSON round trip of the pipeline's children, which tells a slow
machine from slow code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import replace
from typing import Any

from tests.support.manifests import manifest
from tests.support.observations import OURS, UID, backlog, group_backlog, live, pod

from headrace.streams.backlog import StreamBacklog
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import BY_KIND, POD, STREAM_PIPELINE, Kind, Manifest
from headrace_operator.main import reconciler
from headrace_operator.reconcile.reconciler import Reconciler
from headrace_operator.reconcile.status_writer import merge_patch
from headrace_operator.settings import OperatorSettings

KEY = "default/flights"


class MemoryApi:
    """Keeps what is applied; everything that a pass asks for and nothing else."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._version = 10
        self.applies = 0

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        return self._cache.get(kind.kind, namespace, name)

    async def apply(self, applied: dict[str, Any]) -> Manifest:
        self.applies += 1
        item = live(applied)
        if "spec" not in item:
            item["metadata"]["managedFields"] = []
        return self._stored(item)

    async def merge_patch(
        self, kind: Kind, namespace: str, name: str, patch: dict[str, Any], *, sub: str = ""
    ) -> Manifest:
        if kind is not STREAM_PIPELINE:
            return {"metadata": {}}
        before = self._cache.pipeline(KEY)
        assert before is not None
        status = _patched(before.get("status") or {}, patch["status"])
        return self._stored({**before, "status": status})

    async def create(self, *_: Any, **__: Any) -> Manifest:
        return {"metadata": {"name": "event", "namespace": "default", "uid": "event"}}

    def _stored(self, item: dict[str, Any]) -> Manifest:
        self._version += 1
        return {**item, "metadata": {**item["metadata"], "resourceVersion": str(self._version)}}


def _patched(there: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(there)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = _patched(result[name], value)
        else:
            result[name] = value
    assert not merge_patch(result, {**result})
    return result


class MovingBacklog:
    """A poller whose every reading differs."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._passes = 0

    def watch(self, *_: Any) -> None: ...

    def forget(self, *_: Any) -> None: ...

    def ask(self, _: str) -> float:
        return time.monotonic()

    def answers(self, _: Any) -> bool:
        return True

    def reading(self, _: str) -> Reading:
        self._passes += 1
        return Reading(self._stream(), None, time.monotonic())

    def _stream(self) -> StreamBacklog:
        lag = 400 + self._passes % 50
        groups = {name: group_backlog(lag, pending=16) for name in self._names}
        return replace(
            backlog(),
            groups=groups,
            length=1000 + self._passes,
            entries_added=5000 + self._passes,
            server_ms=int(time.time() * 1000),
        )


class World:
    """One pipeline, settled: its children are as it wants them and its workers are ready."""

    def __init__(self, groups: list[dict[str, Any]], workers: int) -> None:
        written = manifest({"spec.groups": groups})
        written["metadata"] |= {"uid": UID, "generation": 1, "resourceVersion": "1"}
        self.cache = Cache()
        self.cache.put(STREAM_PIPELINE, written)
        self.api = MemoryApi(self.cache)
        names = [group["name"] for group in groups]
        poller: Any = MovingBacklog(names)
        api: Any = self.api
        self.reconciler: Reconciler = reconciler(
            OperatorSettings(), api, self.cache, RedisAccess(), poller
        )
        self.memory = self.reconciler.memories.of(KEY, UID)
        self.memory.groups.claims = dict.fromkeys(names, OURS)
        for name in names:
            for number in range(workers):
                item = pod(f"flights-{name}-{number}", name)
                item["metadata"] |= {"namespace": "default", "uid": f"{name}-{number}"}
                item["metadata"]["resourceVersion"] = "1"
                self.cache.put(POD, {"apiVersion": "v1", "kind": "Pod", **item})

    async def settle(self) -> None:
        for _ in range(8):
            await self.one_pass()

    async def one_pass(self) -> None:
        """At once, although a pipeline rests after a pass."""
        self.memory.planned.rests_until = 0.0
        await self.reconciler(KEY)

    async def milliseconds(self, passes: int) -> float:
        """CPU of one pass."""
        began = time.process_time()
        for _ in range(passes):
            await self.one_pass()
        return (time.process_time() - began) / passes * 1000

    def unit_milliseconds(self) -> float:
        """CPU of one JSON round trip of the children: the machine's speed, and the world's size."""
        items = [
            child for kind in BY_KIND for child in self.cache.children(KEY) if child["kind"] == kind
        ]
        began = time.process_time()
        for _ in range(20):
            json.loads(json.dumps(items))
        return (time.process_time() - began) / 20 * 1000


def small() -> World:
    """One group with ten workers."""
    return World([{"name": "delays", "worker": {"handler": "handlers:app"}}], workers=10)


def large() -> World:
    """Sixteen groups of about 60 KB each: the largest pipeline that etcd takes."""
    return World([_large_group(number) for number in range(16)], workers=1)


def _large_group(number: int) -> dict[str, Any]:
    volumes = [
        {
            "name": f"v{volume}",
            "secret": {
                "secretName": "s",
                "items": [{"key": f"k{item}", "path": f"p{item}"} for item in range(20)],
            },
        }
        for volume in range(16)
    ]
    template = {
        "metadata": {"annotations": {f"a{n}": "x" * 200 for n in range(60)}},
        "spec": {
            "tolerations": [{"key": f"k{n}", "operator": "Exists"} for n in range(32)],
            "volumes": volumes,
        },
    }
    worker = {
        "handler": "handlers:app",
        "args": ["a" * 900] * 30,
        "env": [{"name": f"E{n}", "value": "v" * 200} for n in range(64)],
        "podTemplate": template,
    }
    return {"name": f"g{number}", "worker": worker}


async def measure(passes: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, world, times in (("small", small(), passes), ("large", large(), passes // 10)):
        await world.settle()
        figures[f"{name}_pass_ms"] = await world.milliseconds(max(times, 5))
        figures[f"{name}_pass_units"] = figures[f"{name}_pass_ms"] / world.unit_milliseconds()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=300, help="default: %(default)s")
    for name, value in asyncio.run(measure(parser.parse_args().passes)).items():
        print(f"{name}={value:.3f}")


if __name__ == "__main__":
    main()
