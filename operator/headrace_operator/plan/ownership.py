"""Whose object is it? Only what is absent or this pipeline's own is ever applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace_api import API_VERSION, KIND
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.plan.actions import Apply, Delete, PlanSettings, Rendered, Scale
from headrace_operator.plan.observation import ChildRef, Manifest


def metadata(
    pipeline: StreamPipeline, settings: PlanSettings, name: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """A child's metadata. Of the pipeline's own labels and annotations, those are copied that the
    installation lists."""
    inherited = settings.worker_defaults.inherited_from(pipeline)
    return {
        "name": name,
        "namespace": pipeline.namespace,
        "labels": {**inherited["labels"], **labels},
        **({"annotations": found} if (found := inherited["annotations"]) else {}),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": pipeline.name,
                "uid": pipeline.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def is_ours(live: Manifest, pipeline: StreamPipeline) -> bool:
    """True when this very pipeline (by uid, not by name) is the controller."""
    owners = live["metadata"].get("ownerReferences") or ()
    return any(o.get("controller") and o.get("uid") == pipeline.metadata.uid for o in owners)


def is_of_namesake(live: Manifest, pipeline: StreamPipeline) -> bool:
    """It belongs to an earlier pipeline of this name: the garbage collector is on its way."""
    owners = live["metadata"].get("ownerReferences") or ()
    return any(
        o.get("controller")
        and (o.get("apiVersion"), o.get("kind")) == (API_VERSION, KIND)
        and o.get("name") == pipeline.name
        and o.get("uid") != pipeline.metadata.uid
        for o in owners
    )


def is_terminating(live: Manifest) -> bool:
    return live["metadata"].get("deletionTimestamp") is not None


def apply_to(live: Manifest | None, rendered: Rendered) -> Apply:
    """An apply bound to the object that was observed; the caller has checked whose it is."""
    if live is None:
        return Apply(*rendered)
    metadata = live["metadata"]
    return Apply(*rendered, uid=metadata["uid"], resource_version=metadata["resourceVersion"])


def scale_of(live: Manifest, replicas: int, manager: str) -> Scale:
    metadata = live["metadata"]
    return Scale(metadata["name"], replicas, manager, metadata["uid"], metadata["resourceVersion"])


def delete_of(live: Manifest, kind: str, after_group: str | None = None) -> Delete:
    metadata = live["metadata"]
    ref = ChildRef(kind, metadata["name"])
    return Delete(ref, metadata["uid"], metadata["resourceVersion"], after_group)
