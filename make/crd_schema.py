"""A plain JSON Schema of the resource, as editors and the CRDs catalogue take it."""

from typing import Any

DIALECT = "http://json-schema.org/draft-07/schema#"
_CATALOGUE = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main"


def catalogue_path(crd: dict[str, Any], version: str) -> str:
    """Where the catalogue keeps it, for example `headrace.dev/streampipeline_v1alpha1.json`."""
    spec = crd["spec"]
    return f"{spec['group']}/{spec['names']['singular']}_{version}.json"


def catalogue_schema(crd: dict[str, Any], version: str) -> dict[str, Any]:
    """The schema of one version. Unknown fields are refused, as the API server refuses them."""
    (served,) = (one for one in crd["spec"]["versions"] if one["name"] == version)
    root = served["schema"]["openAPIV3Schema"]
    schema: dict[str, Any] = _plain(root)
    schema["properties"]["metadata"] = {"type": "object"}  # the API server's own, not the CRD's
    identity = f"{_CATALOGUE}/{catalogue_path(crd, version)}"
    return {"$schema": DIALECT, "$id": identity, "title": crd["spec"]["names"]["kind"], **schema}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without what only Kubernetes knows: `x-kubernetes-*`, `nullable`."""
    plain = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        plain.pop("type", None)
        plain.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if plain.pop("nullable", False) and "type" in plain:
        plain["type"] = [plain["type"], "null"]
    if "properties" in plain:
        plain["properties"] = {name: _plain(one) for name, one in plain["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            plain["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = _plain(plain[key])
    return plain
