"""Turns a pydantic model into the structural OpenAPI schema that a CustomResourceDefinition takes.

In: the JSON schema of the model. Out: references put in place, `X | None` made an optional X,
titles gone, defaults only where the API server may fill them in: outside lists, because a default
inside a list item makes every client-side apply (and Argo CD) see a change for ever. The
description names each default all the same.
"""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, TypeAdapter

from headrace_api.duration import SHAPE_RULE, format_duration

Schema = dict[str, Any]

_DROPPED = {"title", "propertyNames", "$defs", "default"}
_KEPT = {
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
}
_TIMEDELTA = TypeAdapter(timedelta)


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """The schema of a model; TypeError names the path of what Kubernetes could not express."""
    source = model.model_json_schema(by_alias=True)
    return _convert(source, source.get("$defs", {}), model.__name__, defaults)


def _convert(source: Schema, definitions: dict[str, Schema], path: str, defaults: bool) -> Schema:
    source = _resolved(source, definitions, path)
    result: Schema = {}
    for key, value in source.items():
        if key in _KEPT or key.startswith("x-kubernetes-"):
            if (key, value) != ("minItems", 0):
                result[key] = value
        elif key == "properties":
            result[key] = {
                name: _convert(inner, definitions, f"{path}.{name}", defaults)
                for name, inner in value.items()
            }
        elif key == "items":
            result[key] = _convert(value, definitions, f"{path}[]", False)
        elif key == "additionalProperties":
            # False is what unknown fields get anyway: the API server prunes or refuses them
            if value is not False:
                result[key] = _convert(value, definitions, f"{path}{{}}", False)
        elif key not in _DROPPED:
            raise TypeError(f"{path}: {key} has no place in a structural schema")
    if "type" not in result and "x-kubernetes-int-or-string" not in result:
        raise TypeError(f"{path}: Kubernetes needs exactly one type")
    if "default" in source:
        _take_default(result, source, defaults)
    return result


def _resolved(source: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    """Follows $ref and drops null; what stands beside the reference wins over its target."""
    while True:
        if "$ref" in source:
            target = definitions[source["$ref"].removeprefix("#/$defs/")]
        elif "anyOf" in source:
            choices = [choice for choice in source["anyOf"] if choice != {"type": "null"}]
            if len(choices) != 1:
                raise TypeError(f"{path}: a union has no place in a structural schema")
            target = choices[0]
        else:
            return source
        beside = {key: value for key, value in source.items() if key not in ("$ref", "anyOf")}
        source = {**target, **beside}


def _take_default(result: Schema, source: Schema, defaults: bool) -> None:
    value = source["default"]
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if inner is not None}
    if value in (None, [], {}, ""):
        return
    rules = source.get("x-kubernetes-validations", ())
    if any(rule["rule"] == SHAPE_RULE for rule in rules):
        value = format_duration(_TIMEDELTA.validate_python(value))
    if not isinstance(value, dict):
        text = str(value).lower() if isinstance(value, bool) else value
        result["description"] = f"{source['description']} Default: {text}."
    if defaults:
        result["default"] = value
