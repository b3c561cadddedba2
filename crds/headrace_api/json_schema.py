"""The JSON Schemas of the resources, for editors and linters: crds/schemas/.

They are what the CustomResourceDefinitions say, in the form and under the file name that the
CRDs-catalog and kubeconform use. Rules in CEL have no place in it: `headrace validate` knows them.
"""

import json
from pathlib import Path
from typing import Any

from headrace_api import API_VERSION, GROUP, VERSION
from headrace_api.crd import PIPELINE, Resource, root_schema

_DRAFT = "http://json-schema.org/draft-07/schema#"
_CATALOGUE = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main"


def path_of(resource: Resource) -> Path:
    """The file."""
    return Path(__file__).parents[1] / "schemas" / f"{resource.kind.lower()}_{VERSION}.json"


PATH = path_of(PIPELINE)


def build(resource: Resource = PIPELINE) -> dict[str, Any]:
    """An object that is not of this kind and version is refused, and so are unknown fields."""
    schema = _plain(root_schema(resource))
    kind = resource.kind
    schema["properties"]["apiVersion"]["enum"] = [API_VERSION]
    schema["properties"]["kind"]["enum"] = [kind]
    required = ["apiVersion", "kind", "metadata", "spec"]
    identity = f"{_CATALOGUE}/{GROUP}/{path_of(resource).name}"
    return {"$schema": _DRAFT, "$id": identity, "title": kind, **schema, "required": required}


def text(resource: Resource = PIPELINE) -> str:
    """The file, byte for byte the same on every run."""
    return json.dumps(build(resource), indent=1, ensure_ascii=False) + "\n"


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without what only Kubernetes knows (`x-kubernetes-...`)."""
    plain = {name: value for name, value in schema.items() if not name.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    if "properties" in schema:
        plain["properties"] = {name: _plain(one) for name, one in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            plain["additionalProperties"] = False
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            plain[inner] = _plain(schema[inner])
    return plain
