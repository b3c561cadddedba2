"""The reference page of each resource; `make crd` writes it, `make check` compares it."""

from collections.abc import Iterator
from pathlib import Path

from headrace_api import API_VERSION, crd
from headrace_api.crd import CONNECTION, PIPELINE, Resource
from headrace_api.duration import SHAPE_RULE
from headrace_api.schema import Schema

_INTRODUCTION = """\
<!-- Written by `make crd` from the models in crds/headrace_api: edit those. -->
# {kind}

`apiVersion: {version}`, `kind: {kind}`, short name `{short}`. `kubectl explain
{singular}.spec` tells the same. {more}
"""
_MORE = {
    PIPELINE.kind: """\
Durations are written like `30s`, `5m` or `168h`. What stands
under **Rules** is refused by the API server, and by `headrace validate` without one.

Fields inside `groups[]` get their defaults from Headrace and not from the API server, so that
`kubectl apply` and Argo CD see no difference between what was written and what is stored.""",
    CONNECTION.kind: """\
What stands under **Rules** is
refused by the API server, and by `headrace validate` without one. What it is for:
[where Redis is](../redis.md#one-connection-for-many-pipelines).""",
}

# Kubernetes's own shapes are described by Kubernetes; here they get one line each.
_KUBERNETES = (
    "spec.groups[].worker.env[]",
    "spec.groups[].worker.envFrom[]",
    "spec.groups[].worker.resources",
    "spec.groups[].worker.volumeMounts[]",
    "spec.groups[].worker.securityContext",
    "spec.groups[].worker.podTemplate.spec.",
    "spec.stream.trim.resources",
    "spec.stream.trim.podTemplate.spec.",
)


def path_of(resource: Resource) -> Path:
    """The page."""
    return Path(__file__).parents[2] / "docs" / "reference" / f"{resource.singular}.md"


PATH = path_of(PIPELINE)


def text(resource: Resource = PIPELINE) -> str:
    """The page, byte for byte the same on every run."""
    root = crd.build(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    introduction = _INTRODUCTION.format(
        kind=resource.kind,
        version=API_VERSION,
        short=resource.short_names[0],
        singular=resource.singular,
        more=_MORE[resource.kind],
    )
    parts = [introduction, _rules(root)]
    for name in ("spec", "status"):
        parts += _sections(root["properties"][name], name)
    return "\n".join(filter(None, parts)) + "\n"


def _sections(schema: Schema, path: str) -> Iterator[str]:
    if path.startswith(_KUBERNETES):
        return
    fields: dict[str, Schema] = schema["properties"]
    yield f"\n## {path}\n\n{schema['description']}\n"
    yield "| Field | Type | Meaning |\n|---|---|---|"
    required = schema.get("required", ())
    for name, field in fields.items():
        mark = " **required**" if name in required else ""
        yield f"| `{name}`{mark} | {_type(field, f'{path}.{name}')} | {_cell(field)} |"
    yield _rules(schema)
    for name, field in fields.items():
        inner, inner_path = field, f"{path}.{name}"
        if field.get("type") == "array":
            inner, inner_path = field["items"], f"{inner_path}[]"
        if "properties" in inner:
            yield from _sections(inner, inner_path)


def _rules(schema: Schema) -> str:
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    if not rules:
        return ""
    return "\n**Rules**\n\n" + "\n".join(f"- {_escaped(rule)}." for rule in rules)


def _type(field: Schema, path: str) -> str:
    if field.get("type") == "array":
        items = f"{path}[]"
        if items.startswith(_KUBERNETES):
            return "list, as in Kubernetes"
        return f"list of {_type(field['items'], items)}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'], path)}"
    if field.get("type") != "object":
        return _scalar(field)
    if path.startswith(_KUBERNETES):
        return "as in Kubernetes"
    return f"[object](#{''.join(c for c in path.lower() if c.isalnum())})"


def _scalar(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "x-kubernetes-int-or-string" in field:
        return "quantity"
    if any(rule["rule"] == SHAPE_RULE for rule in field.get("x-kubernetes-validations", ())):
        return "duration"
    if field["type"] == "integer" and 0 <= field["minimum"] <= field["maximum"] < 2**31 - 1:
        return f"{field['minimum']} to {field['maximum']}"
    return str(field["type"])


def _cell(field: Schema) -> str:
    return _escaped(field.get("description", ""))


def _escaped(sentence: str) -> str:
    return sentence.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
