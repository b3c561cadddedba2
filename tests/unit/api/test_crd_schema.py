"""The generated CustomResourceDefinition keeps the promises that the API server cannot check."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.support import yaml_text

from headrace_api import crd
from headrace_api.duration import SHAPE_RULE
from headrace_api.schema import Schema, structural

CLIENT_SIDE_APPLY_LIMIT = 262_144


@pytest.fixture(scope="module")
def root() -> Schema:
    return crd.build()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], path + mark)


def test_it_fits_into_the_annotation_of_a_client_side_apply() -> None:
    assert len(crd.text()) < 200_000 < CLIENT_SIDE_APPLY_LIMIT
    assert yaml_text.load(crd.text()) == crd.build()


def test_no_default_stands_inside_a_list(root) -> None:
    inside = [path for path, schema in walk(root) if "default" in schema and "[]" in path]
    assert inside == []


def test_defaults_outside_lists_stand_in_the_schema(root) -> None:
    defaults = {path: schema["default"] for path, schema in walk(root) if "default" in schema}
    assert defaults == {
        ".spec.suspend": False,
        ".spec.deletionPolicy": "Retain",
        ".spec.redis.mode": "Standalone",
        ".spec.redis.dataLoss": "Warn",
        ".spec.redis.database": 0,
        ".spec.redis.credentialsSecretRef.usernameKey": "username",
        ".spec.redis.credentialsSecretRef.passwordKey": "password",
        ".spec.redis.sentinel.credentialsSecretRef.usernameKey": "username",
        ".spec.redis.sentinel.credentialsSecretRef.passwordKey": "password",
        ".spec.redis.tls.caSecretRef.key": "ca.crt",
        ".spec.redis.tls.caConfigMapRef.key": "ca.crt",
        ".spec.stream.trim.timeZone": "Etc/UTC",
        ".spec.stream.trim.policy": "Safe",
        ".spec.deadLetter": {"maxLength": 100_000},
        ".spec.deadLetter.maxLength": 100_000,
        ".status": {"observedGeneration": -1},
    }


def test_a_default_of_the_models_is_named_in_the_description(root) -> None:
    described = dict(walk(root))
    expected = {
        "worker.concurrency": "Default: 16.",
        "worker.runtime": "Default: Headrace.",
        "delivery.handlerTimeout": "Default: 30s.",
        "scaling.minReplicas": "Default: 0.",
        "start.from": "Default: Beginning.",
    }
    for path, ending in expected.items():
        assert described[f".spec.groups[].{path}"]["description"].endswith(ending)
    assert described[".spec.suspend"]["description"].endswith("Default: false.")


def test_every_field_says_what_it_is_in_a_sentence(root) -> None:
    bad = [
        path
        for path, schema in walk(root)
        if path not in ("", ".metadata")
        and not path.endswith(("]", "}"))
        and not schema.get("description", "").endswith((".", "`"))
    ]
    assert bad == []


def test_every_field_of_the_spec_has_a_bound_for_the_cost_of_rules(root) -> None:
    bounds = {"array": "maxItems", "integer": "maximum"}
    unbounded = []
    for path, schema in walk(root["properties"]["spec"]):
        kind = schema.get("type")
        bound = bounds.get(kind)
        if kind == "string" and "enum" not in schema:
            bound = "maxLength"
        if "additionalProperties" in schema:
            bound = "maxProperties"
        if bound is not None and bound not in schema:
            unbounded.append(path)
    assert unbounded == []


def test_there_is_no_number_with_a_fraction_and_no_boolean_of_our_own(root) -> None:
    ours = [
        path
        for path, schema in walk(root)
        if schema.get("type") == "number"
        or (
            schema.get("type") == "boolean"
            and not any(kubernetes in path for kubernetes in (".worker.", ".podTemplate."))
        )
    ]
    assert ours == [".spec.suspend"]


def test_a_rule_or_pattern_stands_on_objects_and_durations_only(root) -> None:
    """The API server prints the value that a rule stands on: it may be a password."""
    for path, schema in walk(root):
        if "pattern" in schema:
            assert "x-kubernetes-int-or-string" in schema, path
        rules = schema.get("x-kubernetes-validations", ())
        if rules and schema.get("type") != "object":
            assert rules[0]["rule"] == SHAPE_RULE, path


def test_every_rule_says_what_to_write(root) -> None:
    messages = [
        rule["message"]
        for _, schema in walk(root)
        for rule in schema.get("x-kubernetes-validations", ())
    ]
    assert len(messages) > 60
    assert all("\n" not in message and len(message) > 20 for message in messages)


def test_every_list_says_how_it_is_merged(root) -> None:
    unsaid = [
        path
        for path, schema in walk(root)
        if schema.get("type") == "array" and "x-kubernetes-list-type" not in schema
    ]
    assert unsaid == []


def test_keys_of_a_list_are_required_in_its_items(root) -> None:
    for path, schema in walk(root):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            assert key in schema["items"]["required"], path


def test_what_kubernetes_cannot_express_is_told_with_its_path() -> None:
    class Inner(BaseModel):
        either: int | str

    class Outer(BaseModel):
        inner: list[Inner]

    with pytest.raises(TypeError, match=r"Outer\.inner\[\]\.either: a union"):
        structural(Outer)

    class Anything(BaseModel):
        anything: Any

    with pytest.raises(TypeError, match=r"Anything\.anything: Kubernetes needs exactly one type"):
        structural(Anything)

    class Exclusive(BaseModel):
        pair: tuple[int, str]

    with pytest.raises(TypeError, match=r"Exclusive\.pair: prefixItems"):
        structural(Exclusive)
