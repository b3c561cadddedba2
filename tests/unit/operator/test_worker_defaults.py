"""What an installation says of all pods that the operator starts."""

import json
from typing import Any

import pytest
from tests.support.observations import pipeline

from headrace_operator.plan import PlanSettings, RenderedPipeline
from headrace_operator.plan.worker_defaults import WorkerDefaults

DEFAULTS = {
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"pool": "workers"},
    "tolerations": [{"key": "workers", "operator": "Exists"}],
    "priorityClassName": "batch",
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}},
}
SETTINGS = PlanSettings("worker:1", WorkerDefaults.parse(json.dumps(DEFAULTS)))
TRIM = {"spec.stream.trim": {"maxLength": 10}, "spec.groups.0.reclaim": {"count": 5}}


def pods(changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pod specs of worker, reclaim and trim."""
    rendered = RenderedPipeline(pipeline(TRIM | changes), SETTINGS)
    (group,) = rendered.groups
    assert rendered.trim is not None
    jobs = {"reclaim": group.reclaim.manifest, "trim": rendered.trim.manifest}
    return {
        "worker": group.deployment(None).manifest["spec"]["template"]["spec"],
        **{
            name: manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            for name, manifest in jobs.items()
        },
    }


def test_every_pod_has_them() -> None:
    for name, pod in pods({}).items():
        assert DEFAULTS.items() <= {**pod, **pod["containers"][0]}.items(), name


def test_what_a_pipeline_writes_for_a_field_replaces_it() -> None:
    worker = pods(
        {
            "spec.groups.0.worker.resources": {"limits": {"memory": "1Gi"}},
            "spec.groups.0.worker.podTemplate": {"spec": {"nodeSelector": {"pool": "own"}}},
        }
    )["worker"]
    assert worker["nodeSelector"] == {"pool": "own"}
    assert worker["containers"][0]["resources"] == {"limits": {"memory": "1Gi"}}
    assert worker["imagePullSecrets"] == DEFAULTS["imagePullSecrets"]


def test_without_any_nothing_is_added() -> None:
    empty = {name: type(value)() for name, value in DEFAULTS.items()}
    assert WorkerDefaults.parse(json.dumps(empty)) == WorkerDefaults() == WorkerDefaults.parse("")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "write a JSON object"),
        ("{", "write a JSON object"),
        ('{"nodeSelektor": {"a": "b"}}', "nodeSelektor"),
        ('{"resources": {"limit": {"cpu": "1"}}}', "limit"),
        ('{"serviceAccountName": "admin"}', "serviceAccountName has no default"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WorkerDefaults.parse(text)
