"""A pipeline on a Sentinel set and on a Cluster, end to end, with a primary that falls silent."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from examples.flights.demo.cluster import Place
from examples.flights.demo.commands import Kubectl
from tests.support.pipeline_namespace import Airport, group, open_namespace, pipeline
from tests.support.redis_pods import ClusterPods, RedisPods, SentinelPods
from tests.support.redis_topologies import plain
from tests.support.under_load import Sender, send_through
from tests.support.waiting import until

EVENTS = int(os.environ.get("HEADRACE_FAILOVER_EVENTS", "2000"))
OUTAGE_SECONDS = 2.0
"""How much longer handling may stand still than sending did."""
HANDLERS = """
import headrace

audit = headrace.App()

@audit.on("flight.landed")
async def count(flight: dict, ctx: headrace.Context) -> None:
    ctx.emit("{output}", headrace.Event("flight.seen", {{"n": flight["n"]}}))
"""


@pytest.fixture
def kubectl(headrace: Kubectl, place: Place, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    name = f"failover-{os.getpid()}-{request.node.callspec.id.lower()}"
    with open_namespace(Kubectl(place.kubeconfig, name, place.kubectl)) as opened:
        yield opened


@pytest.mark.timeout(600 + EVENTS // 50)
@pytest.mark.parametrize("make", [SentinelPods, ClusterPods])
def test_nothing_that_a_replica_had_is_lost_and_workers_go_on(
    make: type[RedisPods], kubectl: Kubectl
) -> None:
    servers = make()
    with contextlib.ExitStack() as open_ports:
        servers.start(kubectl, open_ports)
        output = f"{servers.stream}:seen"
        airport = Airport(kubectl, plain(servers.primary(servers.stream)))
        airport.apply_handlers(HANDLERS.format(output=output))
        airport.apply(
            pipeline(
                {**group("audit"), "outputs": [{"stream": output}]},
                redis=servers.settings,
                stream={"name": servers.stream},
            )
        )
        kubectl("wait", "streampipeline/flights", "--for=condition=Ready", "--timeout=90s")
        sender = Sender(servers, stream=servers.stream)
        half, whole = threading.Event(), threading.Event()
        sending = threading.Thread(target=send_through, args=(sender, half, whole, EVENTS))
        sending.start()
        try:
            assert half.wait(EVENTS / 20 + 120)
            servers.freeze_primary(servers.stream)
        finally:
            whole.set()
        sending.join()

        client: Any = plain(servers.primary(output))

        def outputs() -> set[int]:
            if client.xlen(output) < len(sender.kept):
                return set()
            return {json.loads(fields[b"payload"])["n"] for _, fields in client.xrange(output)}

        until("every kept event to be handled", lambda: sender.kept <= outputs(), within=180)
        kubectl("wait", "streampipeline/flights", "--for=condition=Ready", "--timeout=90s")
        times = sorted(int(entry_id.split(b"-")[0]) / 1000 for entry_id, _ in client.xrange(output))
        gap = max(after - before for before, after in itertools.pairwise(times))
        assert gap <= sender.gap + OUTAGE_SECONDS
