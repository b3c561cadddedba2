"""The leading operator is killed: workers go on, the standby leads and scales."""

from __future__ import annotations

from typing import Any

import pytest
from examples.flights.demo.commands import Kubectl
from tests.support.pipeline_namespace import Airport, group, pipeline
from tests.support.waiting import until

HANDLERS = """
import headrace

audit = headrace.App()

@audit.on("flight.landed")
async def count(flight: dict, ctx: headrace.Context) -> None:
    await ctx.redis.setbit("counted", flight["row"], 1)
"""


@pytest.mark.timeout(240)
def test_work_goes_on_and_the_standby_takes_over_when_the_leader_dies(
    airport: Airport, headrace: Kubectl
) -> None:
    airport.apply_handlers(HANDLERS)
    airport.apply(pipeline(group("audit")))
    airport.kubectl("wait", "streampipeline/flights", "--for=condition=Ready", "--timeout=60s")
    airport.send([{"row": row} for row in range(3000)])
    until("a worker", lambda: airport.group("audit").get("entries-read"))

    before = _holder(headrace)
    headrace("delete", "pod", before, "--grace-period=0", "--force")
    airport.send([{"row": row} for row in range(3000, 6000)])

    until("every entry settled", lambda: airport.settled("audit", 6000), within=60)
    assert airport.redis.bitcount("counted") == 6000
    after = until("another leader", lambda: _other(headrace, before), within=60)
    assert after != before
    until("workers back at 0", lambda: not airport.workers("audit"), within=90)

    airport.send([{"row": row} for row in range(6000, 7000)])
    until("0 to N by the new leader", lambda: airport.settled("audit", 7000), within=60)


def _holder(headrace: Kubectl) -> str:
    """The name of the pod that holds the Lease."""
    leases: list[dict[str, Any]] = headrace.get("leases")["items"]
    holders = [str(lease["spec"].get("holderIdentity") or "") for lease in leases]
    assert len(holders) == 1, holders
    return holders[0].partition("_")[0]


def _other(headrace: Kubectl, before: str) -> str:
    holder = _holder(headrace)
    return holder if holder != before else ""
