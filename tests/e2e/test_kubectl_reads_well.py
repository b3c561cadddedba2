"""What people see of a pipeline through kubectl."""

from __future__ import annotations

from examples.flights.demo import install
from tests.support.pipeline_namespace import Airport
from tests.support.waiting import until


def test_kubectl_shows_a_pipeline_in_words_and_a_second_apply_changes_nothing(
    airport: Airport,
) -> None:
    install.apply_pipeline(airport.kubectl)

    def row() -> str:
        """The pipeline's line once its first backlog is known."""
        header, line = airport.kubectl("get", "streampipelines").splitlines()
        assert header.split() == ["NAME", "READY", "WORKERS", "LAG", "PENDING", "DEAD", "AGE"]
        return line if len(line.split()) == len(header.split()) else ""

    found = until("a full line of kubectl get", row, within=20)
    assert found.split()[:6] == ["flights", "True", "0/0", "0", "0", "0"]
    assert airport.kubectl("get", "spl", "-o", "name") == ("streampipeline.headrace.dev/flights\n")
    explained = airport.kubectl("explain", "streampipeline.spec.groups")
    assert "consumerGroup" in explained
    again = airport.kubectl("apply", "-f", str(install.EXAMPLE / "pipeline.yaml"))
    assert again.split()[-1] == "unchanged"
    live = airport.kubectl.get("streampipeline", "flights")
    assert set(live["metadata"]["annotations"]) == {
        "kubectl.kubernetes.io/last-applied-configuration"
    }
