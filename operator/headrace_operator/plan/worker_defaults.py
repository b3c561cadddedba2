"""What an installation gives to everything that the operator makes for a pipeline. Pure.

Pods have it where the pipeline does not say otherwise. Of the pipeline's own labels and
annotations, children inherit those whose keys are listed, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from headrace_api.v1alpha1 import (
    ImagePullPolicy,
    JobPodSpec,
    PodMetadata,
    Resources,
    StreamPipeline,
)
from headrace_api.worker_config import first_wrong

_POD_METADATA = {"podLabels": "labels", "podAnnotations": "annotations"}
# Whose rights pods have is for each pipeline to say, and for Pod Security to bound.
_NOT_HERE = ("serviceAccountName", "securityContext")
# By these, Headrace and others tell whose an object is: on a child they would be untrue.
_NOT_INHERITED = (
    "headrace.dev/",
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/",
    "kubectl.kubernetes.io/",
)
_Metadata = dict[str, dict[str, str]]


class _Beside(BaseModel):
    """What is written beside the fields and the metadata of a pod."""

    model_config = ConfigDict(alias_generator=to_camel)

    resources: Resources = Resources()
    image_pull_policy: ImagePullPolicy = ImagePullPolicy.IF_NOT_PRESENT
    inherited_labels: tuple[str, ...] = ()
    inherited_annotations: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkerDefaults:
    """`pod`: fields of PodSpec. `resources`: of the container. What a pipeline writes for a field
    replaces the whole field. `pod_metadata`: labels and annotations of the pods, of which a
    pipeline replaces those whose keys it writes. `inherited_*`: keys of the pipeline's own."""

    pod: Mapping[str, Any] = field(default_factory=dict, hash=False)
    resources: Mapping[str, Any] = field(default_factory=dict, hash=False)
    image_pull_policy: str = ImagePullPolicy.IF_NOT_PRESENT.value
    pod_metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    inherited_labels: tuple[str, ...] = ()
    inherited_annotations: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> WorkerDefaults:
        """From JSON such as `{"imagePullSecrets": [{"name": "registry"}], "resources": {...}}`.

        Raises ValueError, which says what to write instead.
        """
        try:
            written = json.loads(text or "{}")
            given = {name: value for name, value in written.items() if value}
            names = {name: name for name in map(to_camel, _Beside.model_fields)}
            beside = _Beside.model_validate(_taken(given, names))
            metadata = PodMetadata.model_validate(_taken(given, _POD_METADATA)).manifest()
            pod = JobPodSpec.model_validate(given).manifest()
        except ValidationError as error:
            raise ValueError(f"worker defaults are wrong{first_wrong(error)}") from None
        except (ValueError, AttributeError):
            raise ValueError("worker defaults: write a JSON object") from None
        if refused := [name for name in _NOT_HERE if name in pod]:
            raise ValueError(f"worker defaults: {refused[0]} has no default; take it out")
        for key in (*beside.inherited_labels, *beside.inherited_annotations):
            if key.startswith(_NOT_INHERITED):
                raise ValueError(f"worker defaults: {key} says whose an object is; take it out")
        return cls(
            pod,
            beside.resources.manifest(),
            beside.image_pull_policy.value,
            metadata,
            beside.inherited_labels,
            beside.inherited_annotations,
        )

    def inherited_from(self, pipeline: StreamPipeline) -> _Metadata:
        """What all children of this pipeline carry of its labels and annotations."""
        own = pipeline.metadata
        return {
            "labels": _chosen(own.labels, self.inherited_labels),
            "annotations": _chosen(own.annotations, self.inherited_annotations),
        }

    def metadata_of_pods(self, pipeline: StreamPipeline) -> _Metadata:
        """What all pods carry, where neither the pipeline's template nor Headrace sets the key."""
        inherited = self.inherited_from(pipeline)
        return {of: {**self.pod_metadata.get(of, {}), **inherited[of]} for of in inherited}


def _chosen(written: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: written[key] for key in keys if key in written}


def _taken(given: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Takes what stands under these names out, under the names that metadata has."""
    return {of: given.pop(name) for name, of in names.items() if name in given}
