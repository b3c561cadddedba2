"""The demo on the first 20,000 flights: 0 to N workers, a SIGKILL in the middle, back to 0."""

from __future__ import annotations

import io

import pytest
from examples.flights.demo import install
from examples.flights.demo.cluster import Place
from examples.flights.demo.comparison import prove
from examples.flights.demo.connection import open_client, read_password
from examples.flights.demo.data import flights_csv, truth
from examples.flights.demo.screen import Screen
from examples.flights.demo.steps import play
from rich.console import Console
from tests.support.pipeline_namespace import Airport

SLICE = 20_000


@pytest.mark.timeout(240)
def test_flights_slice_equals_the_truth_though_a_worker_is_killed(
    airport: Airport, place: Place
) -> None:
    csv = flights_csv()
    kubectl = airport.kubectl
    install.apply_pipeline(kubectl)
    assert airport.workers("delays") == [], "a pipeline without events has workers"

    password = read_password(kubectl)
    with kubectl.port_forward("service/redis", 6379) as port:
        console = Console(file=io.StringIO(), width=200)
        with Screen(console, SLICE) as screen:
            observed = play(
                lambda: open_client(port, password),
                kubectl,
                csv,
                screen,
                total=SLICE,
                kill=lambda pod: place.kill_worker(kubectl, pod),
            )
    assert observed.killed, "no worker was there to kill half-way"
    result = prove(airport.redis, truth(csv, SLICE))
    assert result.problems == []
    install.wait_for_no_workers(kubectl, timeout=120)
