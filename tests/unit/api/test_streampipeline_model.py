"""The models resolve every default in one place, and give back what was written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.manifests import EXAMPLES, manifest, pipelines

from headrace_api import mounts
from headrace_api.v1alpha1 import (
    Metadata,
    Redis,
    Runtime,
    Start,
    Status,
    StreamPipeline,
    StreamPipelineSpec,
    hash_tag,
)


def pipeline(changes=None) -> StreamPipeline:
    return StreamPipeline.model_validate(manifest(changes))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_comes_back_as_it_was_written(path) -> None:
    for written in pipelines(path):
        read = StreamPipeline.model_validate(written)
        assert read.spec.manifest() == _normal(written["spec"])
        again = StreamPipelineSpec.model_validate(read.spec.manifest())
        assert again == read.spec
        assert again.model_fields_set == read.spec.model_fields_set


def _normal(value):
    """Durations are written in one way: 90s is 1m30s."""
    if isinstance(value, dict):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normal(inner) for inner in value]
    return "1m30s" if value == "90s" else value


def test_the_smallest_pipeline_has_every_default() -> None:
    spec = pipeline().spec
    group = spec.groups[0]
    assert (spec.suspend, spec.deletion_policy, spec.redis.mode) == (False, "Retain", "Standalone")
    assert spec.dead_letter.max_length == 100_000
    assert spec.stream.trim is None
    assert group.consumer_group_name == "delays"
    assert group.start.redis_id == "0-0"
    assert (group.worker.runtime, group.worker.image) == (Runtime.HEADRACE, None)
    assert (group.worker.concurrency, group.worker.batch_size) == (16, 100)
    assert group.delivery.handler_timeout == timedelta(seconds=30)
    assert (group.delivery.max_retries, group.delivery.max_crashes) == (3, 3)
    assert group.delivery.backoff.initial == timedelta(seconds=1)
    assert group.delivery.backoff.max == group.delivery.min_idle == timedelta(minutes=1)
    assert group.delivery.deduplicate is None
    assert (group.scaling.mode, group.scaling.min_replicas) == ("Automatic", 0)
    assert (group.scaling.max_replicas, group.scaling.target_backlog) == (10, 100)
    assert group.scaling.scale_down_after == timedelta(seconds=30)
    assert (group.scaling.target_delay, group.scaling.fallback_replicas) == (None, None)
    assert (group.reclaim.schedule, group.reclaim.count) == (None, 50)
    assert group.outputs == ()


def test_what_was_not_written_can_be_told_from_its_default() -> None:
    written = pipeline({"spec.groups.0.scaling": {"maxReplicas": 10}}).spec.groups[0]
    assert written.scaling == pipeline().spec.groups[0].scaling
    assert written.scaling.model_fields_set == {"max_replicas"}
    assert pipeline().spec.groups[0].scaling.model_fields_set == set()


@pytest.mark.parametrize(
    ("start", "redis_id"),
    [({}, "0-0"), ({"from": "End"}, "$"), ({"from": "Id", "id": "7-1"}, "7-1")],
)
def test_start_gives_the_id_for_xgroup_create(start, redis_id) -> None:
    assert Start.model_validate(start).redis_id == redis_id


@pytest.mark.parametrize(
    ("timeout", "given_seconds", "seconds"),
    [("30s", None, 45), ("500ms", None, 16), ("1500ms", None, 17), ("30s", 120, 120)],
)
def test_pods_get_time_for_the_longest_handler(timeout, given_seconds, seconds) -> None:
    changes = {"spec.groups.0.delivery": {"handlerTimeout": timeout}}
    if given_seconds is not None:
        path = "spec.groups.0.worker.podTemplate.spec.terminationGracePeriodSeconds"
        changes[path] = given_seconds
    assert pipeline(changes).spec.groups[0].termination_grace_seconds == seconds


def test_a_custom_group_has_a_reclaim_job_only_if_it_writes_one() -> None:
    custom = {"spec.groups.0.worker": {"runtime": "Custom", "image": "acme/worker:1"}}
    assert pipeline().spec.groups[0].wants_reclaim_job
    assert not pipeline(custom).spec.groups[0].wants_reclaim_job
    assert pipeline({**custom, "spec.groups.0.reclaim": {}}).spec.groups[0].wants_reclaim_job


@pytest.mark.parametrize(
    ("stream", "dead_letters"),
    [
        ("flights", "headrace:{flights}:dead:flights"),
        ("{flights}:raw", "headrace:{flights}:dead:{flights}:raw"),
        ("a{b}{c}", "headrace:{b}:dead:a{b}{c}"),
        ("a}b{c}", "headrace:{c}:dead:a}b{c}"),
        ("a{b", "headrace:{a{b}:dead:a{b"),
    ],
)
def test_dead_letters_go_to_the_slot_of_the_stream(stream, dead_letters) -> None:
    assert pipeline({"spec.stream.name": stream}).dead_letter_stream == dead_letters
    assert hash_tag(dead_letters) == hash_tag(stream)


def test_a_stream_for_dead_letters_that_is_named_is_taken() -> None:
    assert pipeline({"spec.deadLetter.stream": "dead"}).dead_letter_stream == "dead"


@pytest.mark.parametrize(
    ("endpoint", "qualified"),
    [
        ("redis:6379", "redis.airport.svc:6379"),
        ("redis.data:6379", "redis.data:6379"),
        ("redis.data.svc.cluster.local:6379", "redis.data.svc.cluster.local:6379"),
        ("10.0.0.1:6379", "10.0.0.1:6379"),
        ("[fd00::1]:6379", "[fd00::1]:6379"),
        ("localhost:6379", "localhost:6379"),
    ],
)
def test_a_host_without_a_dot_is_a_service_of_the_same_namespace(endpoint, qualified) -> None:
    assert Redis(endpoints=(endpoint,)).qualified_endpoints("airport") == (qualified,)
    placed = pipeline({"metadata.namespace": "airport", "spec.redis.endpoints": [endpoint]})
    assert placed.endpoints == (qualified,)


@pytest.mark.parametrize(
    "name",
    ["redis", "redis.example.com", "a" * 63 + ".example", "10.0.0.1", "fd00::1"],
)
def test_a_server_name_is_what_a_certificate_may_say(name) -> None:
    spec = {"spec.redis.tls": {"serverName": name}}
    assert pipeline(spec).spec.redis.tls.server_name == name


def test_container_and_pod_fields_are_what_the_user_wrote() -> None:
    path = next(path for path in EXAMPLES if path.stem == "pod-template")
    written = pipelines(path)[0]["spec"]["groups"][0]["worker"]
    worker = StreamPipeline.model_validate(pipelines(path)[0]).spec.groups[0].worker
    expected = {
        key: value for key, value in written.items() if key not in ("handler", "podTemplate")
    }
    assert worker.container_manifest() == expected
    assert worker.pod_template is not None
    assert worker.pod_template.spec_manifest() == written["podTemplate"]["spec"]


def test_what_the_api_server_adds_to_metadata_is_passed_over() -> None:
    metadata = Metadata.model_validate(
        {
            "name": "flights",
            "namespace": "airport",
            "uid": "u",
            "generation": 3,
            "resourceVersion": "17",
            "managedFields": [{}],
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "deletionTimestamp": "2026-01-02T03:04:06Z",
        }
    )
    assert (metadata.generation, metadata.resource_version) == (3, "17")
    assert metadata.deletion_timestamp is not None


def test_a_status_from_a_newer_operator_is_read() -> None:
    status = Status.model_validate(
        {
            "observedGeneration": 2,
            "new": 1,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastTransitionTime": "2026-01-02T03:04:05Z",
                    "reason": "SomethingNew",
                    "message": "fine",
                }
            ],
        }
    )
    condition = status.condition("Ready")
    assert condition is not None
    assert condition.reason == "SomethingNew"
    assert status.condition("Stalled") is None
    assert (status.lag, pipeline().status.observed_generation) == (None, -1)


@given(st.text(max_size=40))
def test_the_hash_tag_is_the_one_that_redis_would_use(name) -> None:
    start = name.find("{")
    end = name.find("}", start + 1)
    redis = name[start + 1 : end] if start >= 0 and end > start + 1 else name
    try:
        accepted = StreamPipelineSpec.model_validate(manifest({"spec.stream.name": name})["spec"])
    except ValueError:
        assert not name or "}" in name or any(c < " " or c == "\x7f" for c in name)
        return
    assert hash_tag(accepted.stream.name) == redis


def test_mounts_lie_under_one_root() -> None:
    paths = [mounts.CONFIG_FILE, mounts.CREDENTIALS_DIR, mounts.TLS_CA_FILE, mounts.CODE_DIR]
    assert all(path.startswith(mounts.ROOT + "/") for path in paths)
