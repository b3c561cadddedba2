"""Conditions as series: what the status says now, from the leader, gone with the pipeline."""

from prometheus_client.parser import text_string_to_metric_families
from tests.support.observations import SETTINGS, pipeline, settled

from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import STREAM_PIPELINE
from headrace_operator.plan import plan
from headrace_operator.telemetry.condition_metrics import NAME, Conditions


def cached() -> tuple[Cache, dict[str, object]]:
    subject = pipeline({"spec.suspend": True})
    live = subject.model_dump(mode="json", by_alias=True, exclude_unset=True)
    live |= {"status": plan(settled(subject), SETTINGS).status}
    cache = Cache()
    cache.put(STREAM_PIPELINE, live)
    return cache, live


def samples(conditions: Conditions) -> list[dict[str, str]]:
    (family,) = text_string_to_metric_families(conditions.text())
    assert family.name == NAME
    assert {sample.value for sample in family.samples} == {1.0}
    return [sample.labels for sample in family.samples]


def test_every_condition_has_a_series_with_its_reason() -> None:
    cache, _ = cached()
    found = samples(Conditions(cache, lambda: True))
    assert {
        "namespace": "default",
        "pipeline": "flights",
        "type": "Ready",
        "status": "True",
        "reason": "Suspended",
    } in found


def test_a_standby_has_none() -> None:
    cache, _ = cached()
    assert Conditions(cache, lambda: False).text() == ""


def test_a_pipeline_that_is_gone_or_has_no_status_yet_has_none() -> None:
    cache, live = cached()
    cache.remove(STREAM_PIPELINE, live)
    assert Conditions(cache, lambda: True).text() == ""
    cache.put(STREAM_PIPELINE, {"metadata": {**live["metadata"], "uid": "new"}, "spec": {}})  # type: ignore[dict-item]
    assert Conditions(cache, lambda: True).text() == ""
