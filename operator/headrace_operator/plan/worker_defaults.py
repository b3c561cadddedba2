"""What pods have that the operator starts, where a pipeline does not say otherwise. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from headrace_api.v1alpha1 import JobPodSpec, Resources
from headrace_api.worker_config import first_wrong

_RESOURCES = "resources"
# Whose rights pods have is for each pipeline to say, and for Pod Security to bound.
_NOT_HERE = ("serviceAccountName", "securityContext")


@dataclass(frozen=True)
class WorkerDefaults:
    """`pod`: fields of PodSpec. `resources`: of the container. What a pipeline writes for a field
    replaces the whole field."""

    pod: Mapping[str, Any] = field(default_factory=dict, hash=False)
    resources: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str) -> WorkerDefaults:
        """From JSON such as `{"imagePullSecrets": [{"name": "registry"}], "resources": {...}}`.

        Raises ValueError, which says what to write instead.
        """
        try:
            written = json.loads(text or "{}")
            given = {name: value for name, value in written.items() if value}
            resources = Resources.model_validate(given.pop(_RESOURCES, {})).manifest()
            pod = JobPodSpec.model_validate(given).manifest()
        except ValidationError as error:
            raise ValueError(f"worker defaults are wrong{first_wrong(error)}") from None
        except (ValueError, AttributeError):
            raise ValueError("worker defaults: write a JSON object") from None
        if refused := [name for name in _NOT_HERE if name in pod]:
            raise ValueError(f"worker defaults: {refused[0]} has no default; take it out")
        return cls(pod, resources)
