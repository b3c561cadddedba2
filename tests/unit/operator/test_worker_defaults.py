"""What an installation says of all pods that the operator starts."""

import json
from typing import Any

import pytest
from tests.support.observations import pipeline

from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.plan import PlanSettings, RenderedPipeline
from headrace_operator.plan.first_children import first_children
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


def pods(changes: dict[str, Any], settings: PlanSettings = SETTINGS) -> dict[str, dict[str, Any]]:
    """The pod specs of worker, reclaim and trim."""
    rendered = RenderedPipeline(pipeline(TRIM | changes), settings)
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


def labelled(**metadata: dict[str, str]) -> StreamPipeline:
    made = pipeline(TRIM)
    return made.model_copy(update={"metadata": made.metadata.model_copy(update=metadata)})


def all_of(subject: StreamPipeline, defaults: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each child's metadata, and that of its pods, by kind and name."""
    settings = PlanSettings("worker:1", WorkerDefaults.parse(json.dumps(defaults)))
    found = {}
    for child in first_children(subject, settings):
        place = f"{child['kind']} {child['metadata']['name']}"
        found[place] = child["metadata"]
        spec = child.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
        if "template" in spec:
            found[f"pods of {place}"] = spec["template"]["metadata"]
    assert len(found) == 8  # account, configuration; workers, reclaim and trim with their pods
    return found


def test_pods_have_the_labels_and_annotations_of_the_installation() -> None:
    given = {"podLabels": {"team": "streams"}, "podAnnotations": {"example.com/scrape": "no"}}
    for place, metadata in all_of(pipeline(TRIM), given).items():
        is_pod = place.startswith("pods of")
        assert ("team" in metadata["labels"]) == is_pod, place
        assert ("example.com/scrape" in metadata.get("annotations", {})) == is_pod, place


def test_what_a_pipeline_writes_on_its_pods_goes_before() -> None:
    written = {"metadata": {"labels": {"team": "own"}}}
    subject = pipeline(TRIM | {"spec.groups.0.worker.podTemplate": written})
    found = all_of(subject, {"podLabels": {"team": "streams"}})
    assert found["pods of Deployment flights-delays"]["labels"]["team"] == "own"
    assert found["pods of CronJob flights-trim"]["labels"]["team"] == "streams"


def test_every_child_and_its_pods_inherit_the_listed_keys_and_no_others() -> None:
    subject = labelled(
        labels={"cost-centre": "42", "tier": "gold"},
        annotations={"example.com/owner": "airport", "example.com/note": "a"},
    )
    keys = {
        "inheritedLabels": ["cost-centre", "absent"],
        "inheritedAnnotations": ["example.com/owner"],
    }
    plain = all_of(subject, {})
    for place, metadata in all_of(subject, keys).items():
        before = plain[place]
        assert metadata["labels"].items() - before["labels"].items() == {("cost-centre", "42")}
        added = metadata["annotations"].keys() - before.get("annotations", {}).keys()
        assert added == {"example.com/owner"}, place


def test_a_pipelines_own_label_goes_before_the_installations() -> None:
    subject = labelled(labels={"team": "airport"})
    given = {"podLabels": {"team": "streams"}, "inheritedLabels": ["team"]}
    labels = all_of(subject, given)["pods of Deployment flights-delays"]["labels"]
    assert labels["team"] == "airport"


def test_a_change_of_an_inherited_label_is_seen_and_of_another_makes_nothing_anew() -> None:
    settings = PlanSettings("w:1", WorkerDefaults.parse('{"inheritedLabels": ["team"]}'))
    before = labelled(labels={"team": "a", "tier": "b"})
    rendered = RenderedPipeline(before, settings)

    def with_labels(**labels: str) -> StreamPipeline:
        metadata = before.metadata.model_copy(update={"labels": labels})
        return before.model_copy(update={"metadata": metadata})

    assert rendered.is_of(with_labels(team="a", tier="c"), settings)
    assert not rendered.is_of(with_labels(team="c", tier="b"), settings)


def test_the_pull_policy_is_the_installations_unless_a_pipeline_has_one() -> None:
    def policies(text: str) -> dict[str, str]:
        written = {"spec.groups.0.worker.imagePullPolicy": text} if text else {}
        settings = PlanSettings("w:1", WorkerDefaults.parse('{"imagePullPolicy": "Always"}'))
        found = pods(written, settings)
        return {name: pod["containers"][0]["imagePullPolicy"] for name, pod in found.items()}

    assert set(policies("").values()) == {"Always"}
    assert policies("Never") == {"worker": "Never", "reclaim": "Never", "trim": "Always"}


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
        ('{"imagePullPolicy": "Sometimes"}', "at imagePullPolicy: Input should be 'Always'"),
        ('{"podLabels": {"headrace.dev/group": "a"}}', "belong to Headrace"),
        ('{"podLabels": {"team": "two words"}}', "values of labels"),
        ('{"inheritedLabels": "team"}', "at inheritedLabels"),
        ('{"inheritedLabels": ["headrace.dev/pipeline"]}', "says whose an object is"),
        ('{"inheritedAnnotations": ["argocd.argoproj.io/tracking-id"]}', "says whose an object is"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WorkerDefaults.parse(text)
