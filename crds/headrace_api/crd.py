"""The CustomResourceDefinitions; `make crd` writes them, `make check` compares them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from headrace_api import (
    CATEGORIES,
    CONNECTION_KIND,
    CONNECTION_PLURAL,
    CONNECTION_SHORT_NAMES,
    CONNECTION_SINGULAR,
    GROUP,
    KIND,
    PLURAL,
    SHORT_NAMES,
    SINGULAR,
    VERSION,
)
from headrace_api.rules import Rule
from headrace_api.schema import structural
from headrace_api.v1alpha1 import (
    RedisConnection,
    RedisConnectionSpec,
    RedisConnectionStatus,
    Status,
    StreamPipeline,
    StreamPipelineSpec,
)

_HEADER = "# Written by `make crd` from the models in headrace_api: edit those.\n"

_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
    {"name": "Workers", "type": "string", "jsonPath": ".status.workers"},
    {"name": "Lag", "type": "integer", "jsonPath": ".status.lag"},
    {"name": "Pending", "type": "integer", "jsonPath": ".status.pending"},
    {"name": "Dead", "type": "integer", "jsonPath": ".status.deadLetters"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Redis", "type": "string", "jsonPath": ".status.endpoint", "priority": 1},
    {"name": "Stream", "type": "string", "jsonPath": ".spec.stream.name", "priority": 1},
    {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
)


_CONNECTION_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
    {"name": "Server", "type": "string", "jsonPath": ".status.server"},
    {"name": "Role", "type": "string", "jsonPath": ".status.role"},
    {"name": "Persistence", "type": "string", "jsonPath": ".status.persistence"},
    {"name": "Eviction", "type": "string", "jsonPath": ".status.evictionPolicy"},
    {"name": "Pipelines", "type": "integer", "jsonPath": ".status.pipelines"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Redis", "type": "string", "jsonPath": ".status.endpoint", "priority": 1},
    {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
)


@dataclass(frozen=True)
class Resource:
    """A kind, and what its definition is made from."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    model: type[BaseModel]
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[dict[str, Any], ...]
    rules: tuple[Rule, ...] = ()

    @property
    def path(self) -> Path:
        """The file of its definition."""
        return Path(__file__).parents[1] / f"{self.plural}.{GROUP}.yaml"


PIPELINE = Resource(
    KIND,
    PLURAL,
    SINGULAR,
    SHORT_NAMES,
    StreamPipeline,
    StreamPipelineSpec,
    Status,
    _COLUMNS,
    StreamPipeline.rules,
)
CONNECTION = Resource(
    CONNECTION_KIND,
    CONNECTION_PLURAL,
    CONNECTION_SINGULAR,
    CONNECTION_SHORT_NAMES,
    RedisConnection,
    RedisConnectionSpec,
    RedisConnectionStatus,
    _CONNECTION_COLUMNS,
)
RESOURCES = (PIPELINE, CONNECTION)
PATH = PIPELINE.path


def build(resource: Resource = PIPELINE) -> dict[str, Any]:
    """The object as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": list(resource.short_names),
                "categories": list(CATEGORIES),
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(resource.columns),
                    "schema": {"openAPIV3Schema": root_schema(resource)},
                }
            ],
        },
    }


def root_schema(resource: Resource = PIPELINE) -> dict[str, Any]:
    """The structural schema of the whole object."""
    # -1 until the operator has looked: kstatus then reads a new object as not yet reconciled
    status = structural(resource.status, defaults=False) | {"default": {"observedGeneration": -1}}
    schema: dict[str, Any] = {
        "type": "object",
        "description": (resource.model.__doc__ or "").strip(),
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{resource.kind}."},
            "metadata": {"type": "object"},
            "spec": structural(resource.spec),
            "status": status,
        },
        "required": ["spec"],
    }
    if resource.rules:
        schema["x-kubernetes-validations"] = [rule.as_cel() for rule in resource.rules]
    return schema


class _Dumper(yaml.SafeDumper):
    """Writes every list and map out in full: an alias would be one more thing to read back."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(resource: Resource = PIPELINE) -> str:
    """The YAML file, byte for byte the same on every run."""
    return _HEADER + yaml.dump(build(resource), Dumper=_Dumper, sort_keys=False, width=100)
