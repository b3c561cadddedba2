"""The reference page: `python -m headrace_api.reference` writes it, `--check` compares it."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from headrace_api import API_VERSION, KIND, SHORT_NAMES, crd
from headrace_api.duration import SHAPE_RULE
from headrace_api.schema import Schema

PATH = Path(__file__).parents[2] / "docs" / "reference" / "streampipeline.md"

_INTRODUCTION = f"""\
<!-- Written by `python -m headrace_api.reference` from crds/headrace_api: edit the models. -->
# {KIND}

`apiVersion: {API_VERSION}`, `kind: {KIND}`, short name `{SHORT_NAMES[0]}`. `kubectl explain
streampipeline.spec` tells the same. Durations are written like `30s`, `5m` or `168h`. What stands
under **Rules** is refused by the API server, and by `headrace validate` without one.

Fields inside `groups[]` get their defaults from Headrace and not from the API server, so that
`kubectl apply` and Argo CD see no difference between what was written and what is stored.
"""

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


def text() -> str:
    """The page, byte for byte the same on every run."""
    root = crd.build()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [_INTRODUCTION, _rules(root)]
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


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when `--check` finds the page out of date."""
    parser = argparse.ArgumentParser(prog="python -m headrace_api.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when outdated")
    check = parser.parse_args(arguments).check
    wanted = text()
    if not check:
        PATH.parent.mkdir(parents=True, exist_ok=True)
        PATH.write_text(wanted, encoding="utf-8")
        return 0
    if not PATH.exists() or PATH.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"{PATH.name} is not what the models say; run `make crd`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
