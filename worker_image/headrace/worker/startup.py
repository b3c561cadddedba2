"""What must hold before a worker handles its first event; until Redis answers, it waits."""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import NoPermissionError, RedisError

from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.detect import require_floor
from headrace.streams.entries import Source
from headrace.streams.script import call
from headrace.streams.settlement import DeadLetter, Park, Settlement
from headrace.worker.outage import REFUSALS, Outage, sentence
from headrace.worker.runtime import Runtime

logger = logging.getLogger("headrace.worker")


async def prepare(runtime: Runtime, *, take_over: bool = True) -> None:
    """Reach Redis, have the group, prove the rights, take over from this pod's earlier processes.

    Tries until it succeeds, and says each new reason once.
    """
    outage = Outage("start")
    while True:
        try:
            await check_server(runtime)
            await runtime.own_group.ensure()
            await dry_commit(runtime)
            await check_outputs(runtime)
            await check_eviction(runtime)
            pod = runtime.settings.pod if take_over else None
            taken = await runtime.claims.take_over(pod) if pod else 0
        except (*REDIS_ERRORS, *REFUSALS) as error:
            await asyncio.sleep(outage.begin(error))
        else:
            outage.end()
            if taken:
                logger.info("took over %d entries of this pod's earlier process", taken)
            return


async def check_server(runtime: Runtime) -> None:
    """Refuse a server that is too old, before it says that of one command after the other. Raises
    TooOld."""
    try:
        await require_floor(runtime.commits.client_for(runtime.settings.keys.stream))
    except NoPermissionError:
        logger.warning("INFO is not permitted: the version of the server is unknown")


async def check_eviction(runtime: Runtime) -> None:
    """Warn of a Redis that may evict deduplication marks, or that will not say."""
    if runtime.deduplication is None:
        return
    try:
        await runtime.deduplication.check_eviction()
    except NoPermissionError:
        logger.warning("INFO is not permitted: whether Redis evicts deduplication marks is unknown")


async def dry_commit(runtime: Runtime) -> None:
    """Commit a retry and a dead letter of entries that do not exist: nothing is written, but a
    missing right, or a key of another type, shows now and not when the first event fails."""
    settlements = [
        Settlement(Source.MAIN, b"0-1", 1, Park(0)),
        Settlement(Source.MAIN, b"0-2", 1, DeadLetter([], "", "")),
    ]
    commits, keys = runtime.settler.commits, runtime.settings.keys
    refused = await commits.send(commits.pack([], settlements))
    for verdict in refused.values():
        if verdict.reason:
            raise RedisError(verdict.reason)
    ours = {keys.dead_letters: "stream", keys.retry: "zset", keys.failures: "hash"}
    for key, wanted in ours.items():
        if wrong := await wrong_type(runtime, key, wanted):
            raise RedisError(f"key {key!r} {wrong}; rename it")


async def check_outputs(runtime: Runtime) -> None:
    """Say which outputs cannot be written. That stops nobody but the handlers that emit there."""
    for stream in runtime.env.outputs:
        try:
            wrong = await wrong_type(runtime, stream, "stream")
        except NoPermissionError as error:
            wrong = f"is refused: {sentence(error)}"
        if wrong:
            logger.error(
                "output %s %s; events whose handlers emit to it become dead letters", stream, wrong
            )


async def wrong_type(runtime: Runtime, key: str, wanted: str) -> str | None:
    """What the key holds in place of the type that is wanted, in words."""
    kind = (await call(runtime.commits.client_for(key), ("TYPE", key))).decode()
    return None if kind in ("none", wanted) else f"holds a {kind}, not a {wanted}"
