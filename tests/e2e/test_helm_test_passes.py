"""`helm test` proves an installation by a pipeline of its own, and cleans up behind itself."""

from __future__ import annotations

import pytest
from examples.flights.demo import install
from examples.flights.demo.cluster import Place
from examples.flights.demo.commands import Kubectl, run
from tests.support.waiting import until


@pytest.mark.timeout(330)
def test_a_pipeline_of_the_charts_own_handles_its_events(headrace: Kubectl, place: Place) -> None:
    said = run(
        [
            *(place.helm, "test", "headrace", "--namespace", install.SYSTEM_NAMESPACE),
            *("--kubeconfig", str(place.kubeconfig), "--logs", "--timeout", "4m"),
        ],
        timeout=270,
    )
    assert "20 of 20 events were handled" in said
    left = "streampipelines,pods,configmaps,services"

    def gone() -> bool:
        return "headrace-test" not in headrace("get", left, "--output", "name")

    until("its objects are gone", gone, within=60)
