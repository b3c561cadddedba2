"""A pipeline and what belongs to it, as kubectl finds them."""

from __future__ import annotations

from headrace.cli.exits import FAILED, refuse
from headrace.kubectl.program import Kubectl, KubectlFailed, Manifest
from headrace_api import GROUP, PLURAL
from headrace_api.names import GROUP_LABEL, JOB_LABEL, PIPELINE_LABEL

RESOURCE = f"{PLURAL}.{GROUP}"


def pipeline_of(kubectl: Kubectl, name: str) -> Manifest:
    """Ends the command where it cannot be had."""
    try:
        return kubectl.get(RESOURCE, name)
    except KubectlFailed as error:
        refuse(f"{error}{_hint(error)}", FAILED)


def all_pipelines(kubectl: Kubectl, *where: str) -> list[Manifest]:
    """Ends the command where they cannot be listed."""
    try:
        return kubectl.items(RESOURCE, *where)
    except KubectlFailed as error:
        refuse(f"{error}{_hint(error)}", FAILED)


def worker_selector(pipeline: str, group: str | None = None) -> str:
    """Selects the pods of workers, and not those of Jobs."""
    of_group = f",{GROUP_LABEL}={group}" if group is not None else ""
    return f"{PIPELINE_LABEL}={pipeline}{of_group},!{JOB_LABEL}"


def group_names(pipeline: Manifest) -> list[str]:
    """In the order of the spec."""
    return [str(group["name"]) for group in pipeline["spec"]["groups"]]


def check_group(pipeline: Manifest, group: str | None) -> None:
    """Ends the command where the pipeline has no such group."""
    known = group_names(pipeline)
    if group is not None and group not in known:
        name = pipeline["metadata"]["name"]
        refuse(f"pipeline {name} has no group {group}; it has {', '.join(known)}")


def _hint(error: KubectlFailed) -> str:
    if "doesn't have a resource type" in str(error):
        return ": Headrace is not installed in this cluster"
    return ""
