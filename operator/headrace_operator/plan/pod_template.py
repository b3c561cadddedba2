"""The pod that runs a command of the worker image: shared by Deployment and CronJobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headrace_api import mounts, names
from headrace_api.v1alpha1 import Group, JobPodTemplate, PodTemplate, StreamPipeline
from headrace_operator.plan import connection
from headrace_operator.plan.actions import PlanSettings

# No uid is fixed: the image's own is 65532, and OpenShift gives each namespace others.
RESTRICTED_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
TMP_VOLUME = f"{mounts.VOLUME_PREFIX}tmp"
_CONFIG_VOLUME = f"{mounts.VOLUME_PREFIX}config"
_LIST_KEYS = {"env": "name", "volumes": "name", "volumeMounts": "mountPath"}
_CODE_VOLUME = f"{mounts.VOLUME_PREFIX}code"


def base_pod(pipeline: StreamPipeline, settings: PlanSettings) -> dict[str, Any]:
    """What every pod of ours has, before its containers."""
    return {
        **settings.worker_defaults.pod,
        "serviceAccountName": names.service_account_name(pipeline.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": dict(RESTRICTED_POD),
        "volumes": [{"name": TMP_VOLUME, "emptyDir": {}}, *connection.volumes(pipeline)],
    }


def base_container(
    pipeline: StreamPipeline,
    settings: PlanSettings,
    image: str,
    command: Iterable[str] = (),
    args: Iterable[str] = (),
) -> dict[str, Any]:
    """The one container: restricted, with a writable /tmp and the way to Redis."""
    resources = settings.worker_defaults.resources
    return {
        **({"resources": resources} if resources else {}),
        "name": mounts.CONTAINER_NAME,
        "image": image,
        "imagePullPolicy": settings.worker_defaults.image_pull_policy,
        "command": list(command),
        "args": list(args),
        "env": [
            _field(mounts.ENV_POD, "metadata.name"),
            _field(mounts.ENV_NAMESPACE, "metadata.namespace"),
        ],
        "securityContext": dict(RESTRICTED_CONTAINER),
        "volumeMounts": [
            {"name": TMP_VOLUME, "mountPath": "/tmp"},  # noqa: S108
            *connection.volume_mounts(pipeline),
        ],
    }


def worker_pod(
    pipeline: StreamPipeline,
    group: Group,
    settings: PlanSettings,
    config_map: str,
    *,
    operators_image: bool = False,
) -> dict[str, Any]:
    """A pod spec that runs an image with a group's configuration, the user's fields merged in.

    `operators_image`: not the group's own, and so without what was written for its container.
    A field that the user wrote wins; restricted parts that they did not write stay restricted.
    """
    image, fields = image_of(group, settings), container_fields(group)
    if operators_image:
        image, fields = settings.worker_image, {}
    worker = group.worker
    container = base_container(pipeline, settings, image)
    container["env"].append({"name": mounts.ENV_CONFIG, "value": mounts.CONFIG_FILE})
    container["volumeMounts"].append(_mount(_CONFIG_VOLUME, mounts.CONFIG_DIR))
    pod = base_pod(pipeline, settings)
    pod["volumes"].append({"name": _CONFIG_VOLUME, "configMap": {"name": config_map}})
    if (code := worker.code_config_map_ref) is not None:
        pod["volumes"].append({"name": _CODE_VOLUME, "configMap": {"name": code.name}})
        container["volumeMounts"].append(_mount(_CODE_VOLUME, mounts.CODE_DIR))
    pod["terminationGracePeriodSeconds"] = group.termination_grace_seconds
    if worker.pod_template is not None:
        pod = merged(pod, worker.pod_template.spec_manifest())
    pod["containers"] = [merged(container, fields)]
    return pod


def image_of(group: Group, settings: PlanSettings) -> str:
    return group.worker.image or settings.worker_image


def pod_metadata(
    pipeline: StreamPipeline,
    settings: PlanSettings,
    template: PodTemplate | JobPodTemplate | None,
    labels: dict[str, str],
    **annotations: str,
) -> dict[str, Any]:
    """The installation's labels and annotations, the user's and ours; the latter win."""
    given = settings.worker_defaults.metadata_of_pods(pipeline)
    written = template.metadata.manifest() if template is not None and template.metadata else {}
    metadata: dict[str, Any] = {
        "labels": {**given["labels"], **(written.get("labels") or {}), **labels}
    }
    if all_annotations := {
        **given["annotations"],
        **(written.get("annotations") or {}),
        **annotations,
    }:
        metadata["annotations"] = all_annotations
    return metadata


def container_fields(group: Group) -> dict[str, Any]:
    """Container's own fields as the user wrote them under `worker`, the image apart."""
    written = group.worker.container_manifest()
    written.pop("image", None)
    return written


def merged(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Lists are joined by key, ours first; securityContext field by field; the rest replaced."""
    merged = dict(ours)
    for name, value in theirs.items():
        if name in _LIST_KEYS:
            key = _LIST_KEYS[name]
            taken = {item[key] for item in value}  # somebody may want a larger /tmp
            merged[name] = [i for i in ours.get(name, ()) if i[key] not in taken] + value
        elif name == "securityContext":
            merged[name] = {**ours.get(name, {}), **value}
        else:
            merged[name] = value
    return merged


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path, "readOnly": True}


def _field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
