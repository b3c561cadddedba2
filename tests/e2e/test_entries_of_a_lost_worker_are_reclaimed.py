"""A worker pod that is gone for good leaves its entries pending; another worker takes them over."""

from __future__ import annotations

import pytest
from tests.support.pipeline_namespace import Airport, group, pipeline
from tests.support.waiting import until

HANDLERS = """
import asyncio
import headrace

slow = headrace.App()

@slow.on("flight.landed")
async def land(flight: dict, ctx: headrace.Context) -> None:
    # The first worker to get hold of an event never finishes; whoever reclaims it does.
    first = await ctx.redis.set(f"first:{flight['row']}", ctx.consumer, nx=True)
    if first:
        await asyncio.sleep(4)
    await ctx.redis.setbit("landed", flight["row"], 1)
"""


@pytest.mark.timeout(180)
def test_entries_of_a_lost_worker_are_reclaimed(airport: Airport) -> None:
    airport.apply_handlers(HANDLERS)
    airport.apply(pipeline(group("slow", scaling={"mode": "Fixed", "replicas": 2})))
    until("two workers", lambda: len(_ready(airport)) == 2, within=60)
    airport.send([{"row": row} for row in range(200)])
    until("entries in both workers' hands", lambda: len(_holders(airport)) >= 2)

    victim = _ready(airport)[0]
    held = [name for name in _holders(airport) if name.startswith(victim)]
    assert held, f"{victim} holds nothing: {_holders(airport)}"
    airport.kubectl("delete", "pod", victim, "--grace-period=0", "--force")

    until("every entry settled", lambda: airport.settled("slow", 200), within=90)
    assert airport.redis.bitcount("landed") == 200


def _ready(airport: Airport) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in airport.workers("slow")
        if all(status["ready"] for status in pod["status"].get("containerStatuses", [{"ready": 0}]))
    ]


def _holders(airport: Airport) -> list[str]:
    if not airport.group("slow"):
        return []
    consumers = airport.redis.xinfo_consumers("flights", "slow")
    return [one["name"].decode() for one in consumers if one["pending"]]
