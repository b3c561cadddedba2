"""The operator's reconciler in the test's own process, able to die at any write.

A life begins as a fresh operator does: with lists of everything and an empty memory. It ends in a
Crash right after a chosen write; the next life finds what the last one left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer, connect
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import Manifest
from headrace_operator.kube.watch import Watches
from headrace_operator.main import reconciler
from headrace_operator.settings import OperatorSettings


class Crash(BaseException):
    """The process is gone."""


Fate = Callable[[int], None]
"""Asked after each write, with its number from 1; may raise Crash."""


def no_fate(_number: int) -> None:
    """This life ends by itself."""


def crash_after(number: int) -> Fate:
    """Die when the write of this number has been carried out and its answer has not been read.

    That is also where a life ends that dies before the next write: nothing but Redis, whose
    operations are idempotent, comes between two writes.
    """

    def fate(now: int) -> None:
        if now == number:
            raise Crash(f"write {number}")

    return fate


class MortalApiServer(ApiServer):
    """Keeps its writes in ``writes`` and asks ``fate`` after each."""

    writes: list[str]
    fate: Fate

    async def _write(self, method: str, path: str, *arguments: Any, **named: Any) -> Manifest:
        answer = await super()._write(method, path, *arguments, **named)
        self.writes.append(f"{method} {path}")
        self.fate(len(self.writes))
        return answer


async def live(
    kubeconfig: Path,
    key: str,
    fate: Fate = no_fate,
    *,
    quiet_looks: int = 3,
    most_looks: int = 60,
) -> list[str]:
    """Reconcile one pipeline until its spec is carried out and several looks in a row write
    nothing: a look that waits for Redis, or is refused as stale, writes nothing either. Returns
    the writes."""
    client = await connect(kubeconfig)
    namespace = key.partition("/")[0]
    cache, redis = Cache(), RedisAccess()
    api = MortalApiServer(client)
    api.writes, api.fate = [], fate
    poller = BacklogPoller(redis, lambda _key: None, interval=0.1)
    reconcile = reconciler(OperatorSettings(full_look=3600), api, cache, redis, poller)
    lists = Watches(
        ApiServer(client, timeout=30), cache, lambda _key: None, namespaces=(namespace,)
    )
    quiet = 0
    try:
        for _ in range(most_looks):
            await lists.fill()  # in place of watches
            before = len(api.writes)
            try:
                await reconcile(key)
            except ApiError as error:
                if error.status != 409:  # stale: what a back-off is for
                    raise
            calm = len(api.writes) == before and _is_carried_out(cache.pipeline(key))
            quiet = quiet + 1 if calm else 0
            if quiet == quiet_looks:
                return api.writes
            await asyncio.sleep(0.12)  # the poller's next round
        raise AssertionError(f"still writing after {most_looks} looks: {api.writes[-8:]}")
    finally:
        await poller.aclose()
        await redis.aclose()
        await client.close()  # type: ignore[no-untyped-call]


def _is_carried_out(pipeline: Manifest | None) -> bool:
    """The status speaks of this generation: it is written after the children."""
    if pipeline is None:
        return False
    observed = (pipeline.get("status") or {}).get("observedGeneration")
    return bool(observed == pipeline["metadata"]["generation"])
