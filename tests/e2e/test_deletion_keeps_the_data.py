"""A deleted pipeline takes its children along; stream, groups and dead letters stay (Retain)."""

from __future__ import annotations

import pytest
from tests.support.pipeline_namespace import Airport, group, pipeline
from tests.support.waiting import until

HANDLERS = """
import headrace
from pydantic import BaseModel

class Flight(BaseModel):
    row: int
    arr_delay: int

delays = headrace.App()

@delays.on("flight.landed")
async def land(flight: Flight, ctx: headrace.Context) -> None:
    pass
"""
CHILDREN = "deployments,replicasets,pods,cronjobs,jobs,serviceaccounts,configmaps"


@pytest.mark.timeout(180)
def test_a_deleted_pipeline_takes_its_children_and_keeps_the_data(airport: Airport) -> None:
    airport.apply_handlers(HANDLERS)
    airport.apply(pipeline(group("delays")))
    airport.send([{"row": row, "arr_delay": 1} for row in range(500)] + [{"row": 500}])
    until("every entry settled", lambda: airport.settled("delays", 501))
    assert _children(airport)

    airport.kubectl("delete", "streampipeline", "flights", "--timeout=60s")
    until("no child left", lambda: not _children(airport), within=60)
    assert airport.redis.xlen("flights") == 501
    assert airport.group("delays")["entries-read"] == 501
    [(_, letter)] = airport.redis.xrange("headrace:{flights}:dead:flights")
    assert b"arr_delay" in letter[b"error"]
    assert letter[b"f:payload"] == b'{"row":500}'

    airport.apply(pipeline(group("delays")))
    airport.send([{"row": 501, "arr_delay": 1}])
    until("the next pipeline goes on where it was", lambda: airport.settled("delays", 502))


def _children(airport: Airport) -> list[str]:
    selector = "app.kubernetes.io/managed-by=headrace"
    return airport.kubectl("get", CHILDREN, "-l", selector, "-o", "name").split()
