"""The CustomResourceDefinition; `make crd` writes it, `make check` compares it."""

from pathlib import Path
from typing import Any

import yaml

from headrace_api import CATEGORIES, GROUP, KIND, PLURAL, SHORT_NAMES, SINGULAR, VERSION
from headrace_api.schema import structural
from headrace_api.v1alpha1 import Status, StreamPipeline, StreamPipelineSpec

PATH = Path(__file__).parents[1] / f"{PLURAL}.{GROUP}.yaml"

_HEADER = "# Written by `make crd` from the models in headrace_api: edit those.\n"

_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
    {"name": "Workers", "type": "string", "jsonPath": ".status.workers"},
    {"name": "Lag", "type": "integer", "jsonPath": ".status.lag"},
    {"name": "Pending", "type": "integer", "jsonPath": ".status.pending"},
    {"name": "Dead", "type": "integer", "jsonPath": ".status.deadLetters"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Redis", "type": "string", "jsonPath": ".spec.redis.endpoints[0]", "priority": 1},
    {"name": "Stream", "type": "string", "jsonPath": ".spec.stream.name", "priority": 1},
    {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
)


def build() -> dict[str, Any]:
    """The object as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": list(SHORT_NAMES),
                "categories": list(CATEGORIES),
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(_COLUMNS),
                    "schema": {"openAPIV3Schema": root_schema()},
                }
            ],
        },
    }


def root_schema() -> dict[str, Any]:
    """The structural schema of the whole object."""
    # -1 until the operator has looked: kstatus then reads a new object as not yet reconciled
    status = structural(Status, defaults=False) | {"default": {"observedGeneration": -1}}
    return {
        "type": "object",
        "description": (StreamPipeline.__doc__ or "").strip(),
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{KIND}."},
            "metadata": {"type": "object"},
            "spec": structural(StreamPipelineSpec),
            "status": status,
        },
        "required": ["spec"],
        "x-kubernetes-validations": [rule.as_cel() for rule in StreamPipeline.rules],
    }


class _Dumper(yaml.SafeDumper):
    """Writes every list and map out in full: an alias would be one more thing to read back."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text() -> str:
    """The YAML file, byte for byte the same on every run."""
    return _HEADER + yaml.dump(build(), Dumper=_Dumper, sort_keys=False, width=100)
