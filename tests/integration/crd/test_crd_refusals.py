"""A real API server refuses each bad manifest, says what to write, and prints no secret."""

import json

import pytest
from tests.support.kubectl import Kubectl
from tests.support.manifests import ACCEPTED, CANARY, REFUSALS, Refusal, manifest


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_bad_manifest_is_refused_with_its_sentence(
    crd_kubectl: Kubectl, refusal: Refusal
) -> None:
    answer = crd_kubectl.attempt(
        "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest(refusal.changes))
    )
    assert answer.returncode != 0, answer.stdout
    assert refusal.sentence in answer.stderr
    assert f"{refusal.path}: " in answer.stderr
    assert CANARY not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"spec.groups.1": {"name": "delays", "worker": {"handler": "a:b"}}},
            "spec.groups[1]: Duplicate value",
        ),
        ({"spec.groups": []}, "spec.groups: Invalid value: 0"),
        ({"spec.redis.url": f"redis://:{CANARY}@h"}, 'unknown field "spec.redis.url"'),
        ({"spec.redis.endpoints": [CANARY * 30]}, "Too long: may not be more than 260"),
        ({"spec.redis.endpoints": CANARY}, "must be of type array"),
        ({"spec.redis.credentialsSecretRef": CANARY}, "must be of type object"),
        (
            {
                "spec.groups.0.worker.resources": {
                    "requests": {"memory": "1e999999999999"},
                    "limits": {"memory": "1e999999999999"},
                }
            },
            "spec.groups[0].worker.resources.limits.memory",
        ),
    ],
    ids=["a group twice", "no group", "a field of old", "too long", "no list", "no object", "huge"],
)
def test_the_schema_itself_refuses_without_printing_a_secret(
    crd_kubectl: Kubectl, changes, sentence
) -> None:
    answer = crd_kubectl.attempt(
        "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest(changes))
    )
    assert answer.returncode != 0
    assert sentence in answer.stderr
    assert CANARY not in answer.stdout + answer.stderr


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_no_pattern_refuses_what_is_good(crd_kubectl: Kubectl, changes) -> None:
    answer = crd_kubectl.attempt(
        "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest(changes))
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def replaced(kubectl: Kubectl, namespace: str, before: dict, after: dict) -> str:
    for changes, verb in ((before, "create"), (after, "replace")):
        answer = kubectl.attempt(
            "-n", namespace, verb, "-f", "-", stdin=json.dumps(in_namespace(changes, namespace))
        )
    return answer.stderr


def in_namespace(changes: dict, namespace: str) -> dict:
    return manifest({"metadata.namespace": namespace, **changes})


def test_the_stream_of_a_pipeline_cannot_change(crd_kubectl: Kubectl, namespace: str) -> None:
    said = replaced(crd_kubectl, namespace, {}, {"spec.stream.name": "other"})
    assert "spec.stream.name: Invalid value" in said
    assert "stream.name cannot change; create a new StreamPipeline for the other stream" in said


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"spec.groups.0.consumerGroup": "other"}),
        ({"spec.groups.0.consumerGroup": "other"}, {}),
        ({"spec.groups.0.consumerGroup": "one"}, {"spec.groups.0.consumerGroup": "two"}),
    ],
    ids=["given later", "taken away", "changed"],
)
def test_the_redis_name_of_a_group_cannot_change(
    crd_kubectl: Kubectl, namespace: str, before, after
) -> None:
    said = replaced(crd_kubectl, namespace, before, after)
    assert "consumerGroup cannot change; add a group under a new name and remove this one" in said


@pytest.mark.parametrize(
    "after",
    [
        {"spec.groups.0.consumerGroup": "delays"},
        {"spec.redis.endpoints": ["elsewhere.data.svc:6379"]},
        {"spec.groups.0.name": "renamed"},
        {"spec.groups.1": {"name": "audit", "worker": {"handler": "audit:app"}}},
        {"spec.suspend": True, "spec.stream.trim": {"maxLength": 10}},
    ],
    ids=["the default written out", "another server", "another group", "one more", "the rest"],
)
def test_everything_else_can_change(crd_kubectl: Kubectl, namespace: str, after) -> None:
    assert replaced(crd_kubectl, namespace, {}, after) == ""
