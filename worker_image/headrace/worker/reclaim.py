"""One bounded pass over entries whose workers are gone, by the worker's own claims and handlers.

A Custom group has no handlers here: its entries are only judged. One that was delivered more often
than `delivery.maxRetries` allows goes to the dead letters; the others stay pending for the group's
own consumers to claim.
"""

from __future__ import annotations

import asyncio

from headrace.app import App
from headrace.entry import Entry
from headrace.worker.config import WorkerSettings
from headrace.worker.metrics import Metrics
from headrace.worker.parts import Parts
from headrace.worker.runtime import Runtime
from headrace.worker.settling.decision import dead_letter
from headrace.worker.startup import prepare

REACH_SECONDS = 60.0
"""How long a pass tries to reach Redis; the next one comes by schedule."""
LOOK_UP_SECONDS = 0.01
START_SHARE = 0.1
"""Of a Job's time: its pod has to be scheduled and to pull its image."""


def pass_seconds(deadline: float, handler_timeout: float) -> float:
    """How long a pass may claim in a Job that is ended after `deadline` seconds: handlers that run
    then still have their time."""
    return max(deadline * (1 - START_SHARE) - handler_timeout, deadline / 2)


def runtime_for(settings: WorkerSettings, app: App, metrics: Metrics) -> Runtime:
    """A runtime that only reclaims; a Custom group's has no handlers."""
    custom = settings.config.handler is None
    return Runtime(settings, app, metrics, custom=custom, deliver=_judge if custom else None)


async def reclaim(runtime: Runtime) -> None:
    """Claim up to `reclaim.count` idle entries, and what is due, and wait for their ends.

    Raises TimeoutError when Redis cannot be reached, redis errors when it goes away.
    """
    custom = runtime.settings.config.handler is None
    async with asyncio.timeout(REACH_SECONDS):
        await prepare(runtime, take_over=not custom)
    if custom:
        await _claim(runtime)
        await _leave_nothing(runtime)
        return
    await _park(runtime)
    while (await runtime.claims.take_due())[0]:
        await _until_settled(runtime)


async def _claim(runtime: Runtime) -> None:
    left, more = runtime.settings.config.reclaim_count, True
    while left > 0 and more:
        condemned_at = _most_deliveries(runtime) + 1
        taken, more = await runtime.claims.claim_idle(left, condemned_at=condemned_at)
        left -= taken
        await _until_settled(runtime)


async def _leave_nothing(runtime: Runtime) -> None:
    """A Custom group's own consumers remove neither the consumers of passes nor their records."""
    left = runtime.left_pending
    await runtime.claims.forget_failures([(entry.source, entry.id) for entry in left])
    left.clear()
    await runtime.claims.delete_dead_consumers()


async def _park(runtime: Runtime) -> None:
    counts, most = runtime.metrics.counts, runtime.settings.config.reclaim_count
    more = True
    while more and (left := most - counts["claimed"]) > 0:
        more = await runtime.claims.park_idle(left)


async def _until_settled(runtime: Runtime) -> None:
    while True:
        await runtime.dispatcher.until_quiet()
        await runtime.settler.drain()
        if runtime.deduplication is None or runtime.deduplication.quiet:
            break
        await asyncio.sleep(LOOK_UP_SECONDS)


def summary(runtime: Runtime) -> str:
    """What the pass did, in one line."""
    ends = [f"{count} {outcome}" for (_, outcome), count in sorted(runtime.metrics.events.items())]
    counts = runtime.metrics.counts
    lost = f"; {counts['trimmed']} lost to trimming" if counts["trimmed"] else ""
    return f"reclaimed {counts['claimed']} entries: {', '.join(ends) or 'nothing to settle'}{lost}"


def _most_deliveries(parts: Parts) -> int:
    """How often an entry of a Custom group may be delivered."""
    return parts.settings.policy.max_retries + 1


def _judge(parts: Parts, entries: list[Entry]) -> None:
    for entry in entries:
        if entry.delivery_count > _most_deliveries(parts):
            reason = f"left unacknowledged after {entry.delivery_count - 1} deliveries"
            parts.dispatcher.settle(entry, "custom", dead_letter(reason, "Unacknowledged"))
        else:
            parts.holding.drop(entry)  # neither settled nor handed back
            parts.left_pending.append(entry)
