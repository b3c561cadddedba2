"""`kubectl headrace debug bundle`: one file with everything that support would ask for."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import typer
import yaml

from headrace import __version__
from headrace.cli.exits import FAILED, refuse
from headrace.kubectl.in_cluster import output_of
from headrace.kubectl.pipelines import pipeline_of
from headrace.kubectl.program import Kubectl, KubectlFailed, Manifest
from headrace.kubectl.redaction import redacted, redacted_text
from headrace_api.names import PIPELINE_LABEL

KINDS = ("deployments", "replicasets", "pods", "configmaps", "cronjobs", "jobs", "serviceaccounts")
OPERATOR = "app.kubernetes.io/name=headrace"


def run_bundle(
    kubectl: Kubectl, name: str, file: Path | None, tail: int, *, with_redis: bool
) -> None:
    """What cannot be had is replaced by the reason."""
    pipeline = pipeline_of(kubectl, name)
    path = file or Path(f"headrace-{name}.tar.gz")
    count = 0
    try:
        with tarfile.open(path, "w:gz") as tar:
            for inside, text in _contents(kubectl, pipeline, tail, with_redis=with_redis):
                _add(tar, f"headrace-{name}/{inside}", text)
                count += 1
    except OSError as error:
        refuse(f"cannot write {path}: {error.strerror}", FAILED)
    typer.echo(f"{path}: {count} files, without Secrets; look through them before you send it")


def _contents(
    kubectl: Kubectl, pipeline: Manifest, tail: int, *, with_redis: bool
) -> Iterator[tuple[str, str]]:
    name = pipeline["metadata"]["name"]
    selector = f"{PIPELINE_LABEL}={name}"
    yield "versions.txt", f"plugin {__version__}\n{kubectl.attempt('version')}"
    yield "pipeline.yaml", _yaml(pipeline)
    if ref := pipeline["spec"]["redis"].get("connectionRef"):
        yield "redisconnection.yaml", _objects(kubectl, "redisconnections", ref["name"])
    for kind in KINDS:
        yield f"{kind}.yaml", _objects(kubectl, kind, "--selector", selector)
    yield "events.txt", redacted_text(kubectl.attempt("get", "events", "--sort-by=.lastTimestamp"))
    yield from _logs(kubectl, "logs", tail, "--selector", selector)
    yield "operator.yaml", _objects(kubectl, "pods", "--all-namespaces", "--selector", OPERATOR)
    yield from _logs(kubectl, "operator", tail, "--all-namespaces", "--selector", OPERATOR)
    if with_redis:
        stream = pipeline["spec"]["stream"]["name"]
        for command in ("backlog", "pending"):
            yield (
                f"redis/{command}.json",
                output_of(kubectl, pipeline, [command, stream, "-o", "json"]),
            )
        yield "redis/dead-letters.txt", output_of(kubectl, pipeline, ["dead", "list"])


def _objects(kubectl: Kubectl, *what: str) -> str:
    try:
        return _yaml(kubectl.get(*what))
    except KubectlFailed as error:
        return f"{error}\n"


def _logs(kubectl: Kubectl, folder: str, tail: int, *which: str) -> Iterator[tuple[str, str]]:
    pods: list[Manifest] = []
    with contextlib.suppress(KubectlFailed):
        pods = kubectl.items("pods", *which)
    for pod in pods:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        words = ("logs", f"pod/{name}", "-n", namespace, "--all-containers", f"--tail={tail}")
        yield f"{folder}/{name}.log", redacted_text(kubectl.attempt(*words))
        if any(one.get("restartCount") for one in pod["status"].get("containerStatuses") or ()):
            before = kubectl.attempt(*words, "--previous")
            yield f"{folder}/{name}.previous.log", redacted_text(before)


def _yaml(value: Manifest) -> str:
    return yaml.safe_dump(redacted(json.loads(json.dumps(value))), sort_keys=False, width=100)


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), int(time.time())
    tar.addfile(member, io.BytesIO(content))
