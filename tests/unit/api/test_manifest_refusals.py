"""What the API server refuses, `headrace validate` refuses too, by the same sentence."""

import pytest
from pydantic import BaseModel, ValidationError
from tests.support.manifests import (
    ACCEPTED,
    CANARY,
    EXAMPLES,
    REFUSALS,
    Refusal,
    manifest,
    pipelines,
)

from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1 import StreamPipeline, StreamPipelineSpec
from headrace_api.validation import Severity, problems


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_bad_manifest_gets_its_sentence_at_its_path(refusal: Refusal) -> None:
    found = [p for p in problems(manifest(refusal.changes)) if refusal.sentence in p.sentence]
    assert [problem.path for problem in found] == [refusal.below or refusal.path]
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_no_refusal_prints_a_secret(refusal: Refusal) -> None:
    bad = manifest(refusal.changes)
    assert CANARY not in repr(problems(bad))
    assert CANARY not in _told(StreamPipeline, bad)


@pytest.mark.parametrize(
    "path", ["redis.url", "redis.credentialsSecretRef", "redis.mode", "suspend"]
)
def test_a_secret_in_a_field_of_another_type_is_not_printed(path) -> None:
    bad = manifest({f"spec.{path}": CANARY})
    assert CANARY not in repr(problems(bad))
    assert CANARY not in _told(StreamPipeline, bad)
    assert CANARY not in _told(StreamPipelineSpec, bad["spec"])


def _told(model: type[BaseModel], bad: dict) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(bad)
    return str(error.value)


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_no_pattern_refuses_what_is_good(changes) -> None:
    assert problems(manifest(changes)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_without_problems(path) -> None:
    assert [problems(pipeline) for pipeline in pipelines(path)] == [[]]


def _shapes(shape: type[Shape] = Shape) -> list[type[Shape]]:
    return [shape, *(inner for child in shape.__subclasses__() for inner in _shapes(child))]


def test_every_rule_has_a_refusal_in_the_table() -> None:
    rules: list[Rule] = [rule for shape in _shapes() for rule in shape.rules]
    untested = [
        rule.sentence
        for rule in (*rules, *StreamPipeline.rules)
        if rule.holds is not None
        and not any(refusal.sentence in rule.sentence for refusal in REFUSALS)
    ]
    assert untested == []


def test_several_problems_are_all_told_at_once() -> None:
    bad = manifest(
        {
            "metadata.name": "A",
            "spec.redis.endpoints": [],
            "spec.redis.mode": "Sentinel",
            "spec.groups.0.scaling": {"mode": "Fixed", "maxReplicas": 3},
        }
    )
    assert {problem.path for problem in problems(bad)} == {
        "spec.redis.endpoints",
        "spec.redis",
        "spec.groups[0].scaling",
        "metadata.name",
    }
    assert len(problems(bad)) == 5


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_an_unknown_field_hides_no_rule(refusal: Refusal) -> None:
    """Beside it, and in the objects around it."""
    alone = set(problems(manifest(refusal.changes)))
    bad = manifest(refusal.changes)
    for place in (bad["spec"], bad["spec"]["stream"], bad["spec"]["groups"][0]["worker"]):
        place["junk"] = 1
    told = problems(bad)
    assert len(told) == len(set(told)), "each once"
    assert alone <= set(told)
    assert {one.path for one in set(told) - alone} == {
        "spec.junk",
        "spec.stream.junk",
        "spec.groups[0].worker.junk",
    }


def test_a_broken_rule_hides_none_of_the_objects_around_it() -> None:
    bad = manifest({"metadata.name": "A_b", "spec.groups.0.worker": {"handler": "handlers.app"}})
    bad["spec"]["groups"].append({**bad["spec"]["groups"][0], "name": "second"})
    assert [one.path for one in problems(bad)] == [
        "spec.groups[0].worker.handler",
        "spec.groups[1].worker.handler",
        "metadata.name",
    ]


def test_what_is_wrong_in_one_field_says_nothing_of_rules_that_read_it() -> None:
    bad = manifest({"spec.groups.0.worker": {"runtime": "Custm", "image": "acme/worker:1"}})
    assert [one.path for one in problems(bad)] == ["spec.groups[0].worker.runtime"]


@pytest.mark.parametrize(
    ("changes", "path", "sentence"),
    [
        ({"kind": "Pipeline"}, "kind", "write kind: StreamPipeline"),
        ({"apiVersion": "v1"}, "apiVersion", "write apiVersion: headrace.dev/v1alpha1"),
        ({"spec": None}, "spec", "must be an object with fields"),
        ({"spec": 3}, "spec", "must be an object with fields"),
        ({"specs": {}}, "specs", "unknown field; did you mean spec?"),
        (
            {"spec.groups.0.scaling": {"maxreplicas": 3}},
            "spec.groups[0].scaling.maxreplicas",
            "unknown field; did you mean maxReplicas?",
        ),
        (
            {"spec.redis.url": f"redis://:{CANARY}@h"},
            "spec.redis.url",
            "unknown field; known here: mode, endpoints, database, credentialsSecretRef,"
            " sentinel, tls",
        ),
        (
            {"spec.redis.mode": "sentinel"},
            "spec.redis.mode",
            "must be one of Standalone, Sentinel or Cluster",
        ),
        ({"spec.groups": []}, "spec.groups", "takes 1 to 16 items"),
        (
            {"spec.groups.1": {"name": "delays", "worker": {"handler": "a:b"}}},
            "spec.groups",
            "two items have the same name; give each its own",
        ),
        (
            {"spec.groups.0.worker.resources.limits": {"memory": "1 GB"}},
            "spec.groups[0].worker.resources.limits.memory",
            "a quantity is written like 500m, 2 or 256Mi",
        ),
        (
            {"spec.groups.0.worker.concurrency": "16"},
            "spec.groups[0].worker.concurrency",
            "input should be a valid integer",
        ),
        ({"spec.stream": {}}, "spec.stream.name", "is required"),
        (
            {"spec.stream.trim": {"maxLength": 1, "schedule": "9-3 * * * *"}},
            "spec.stream.trim.schedule",
            "the minute of a schedule takes 0 to 59",
        ),
        (
            {"spec.groups.0.worker.podTemplate.metadata.labels": {"team": "a" * 64}},
            "spec.groups[0].worker.podTemplate.metadata.labels.team",
            "string should have at most 63 characters",
        ),
    ],
)
def test_what_only_a_look_at_the_file_shows_is_told_too(changes, path, sentence) -> None:
    found = problems(manifest(changes))
    assert [problem.path for problem in found] == [path]
    assert found[0].sentence.startswith(sentence)
    assert CANARY not in repr(found)


@pytest.mark.parametrize("value", [None, [], "spec", 3])
def test_a_file_that_holds_something_else_is_told_so(value) -> None:
    assert len(problems(value)) == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {
                "spec.groups.0.worker": {"runtime": "Custom", "image": "acme/worker:1"},
                "spec.groups.0.delivery": {"handlerTimeout": "5m"},
                "spec.groups.0.reclaim": {},
            },
            "spec.groups[0].delivery.minIdle",
        ),
        (
            {
                "spec.groups.0.delivery": {"handlerTimeout": "5m"},
                "spec.groups.0.worker.podTemplate.spec.terminationGracePeriodSeconds": 30,
            },
            "spec.groups[0].worker.podTemplate.spec.terminationGracePeriodSeconds",
        ),
        (
            {"spec.groups.0.worker.env": [{"name": "DB_PASSWORD", "value": CANARY}]},
            "spec.groups[0].worker.env[0]",
        ),
    ],
)
def test_what_works_but_not_as_meant_is_a_warning(changes, path) -> None:
    found = problems(manifest(changes))
    assert [(problem.path, problem.severity) for problem in found] == [(path, Severity.WARNING)]
    assert CANARY not in repr(found)
