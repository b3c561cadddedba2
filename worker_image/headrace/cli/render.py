"""`headrace render`: the children that the operator makes of a manifest, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml

from headrace.cli.exits import REFUSED, refuse
from headrace.cli.options import ManifestOutput
from headrace.cli.validate import findings, read
from headrace_api import CONNECTION_KIND
from headrace_api.manifest_file import UnusableFile
from headrace_api.v1alpha1 import StreamPipeline
from headrace_api.validation import Severity
from headrace_operator.plan import PlanSettings
from headrace_operator.plan.first_children import first_children
from headrace_operator.plan.place import NoPlace, named, with_redis
from headrace_operator.plan.worker_defaults import WorkerDefaults
from headrace_operator.worker_image import DEFAULT_WORKER_IMAGE

Manifest = dict[str, Any]


def run_render(
    files: list[Path],
    output: ManifestOutput,
    namespace: str,
    worker_image: str | None,
    worker_defaults: str,
) -> None:
    try:
        defaults = WorkerDefaults.parse(worker_defaults)
    except ValueError as error:
        refuse(str(error))
    settings = PlanSettings(worker_image or DEFAULT_WORKER_IMAGE, defaults)
    made = [
        child
        for pipeline in _pipelines(files, namespace)
        for child in first_children(pipeline, settings)
    ]
    if output is ManifestOutput.JSON:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    else:
        text = yaml.safe_dump_all(made, sort_keys=False, allow_unicode=True, width=100)
        typer.echo(text, nl=False)


def _pipelines(paths: list[Path], namespace: str) -> list[StreamPipeline]:
    """Ends the command with all that is wrong with them."""
    sources = [(path, read(path)) for path in paths]
    found = [one for path, files in sources for one in findings(path, files)]
    for one in found:
        typer.echo(str(one), err=True)
    if any(one.severity is Severity.ERROR for one in found):
        raise typer.Exit(REFUSED)
    documents = [
        document
        for _, files in sources
        for _, inside in files
        if not isinstance(inside, UnusableFile)
        for document in inside
    ]
    manifests = [_placed(one.manifest, namespace) for one in documents]
    connections = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one
        for one, document in zip(manifests, documents, strict=True)
        if document.is_connection
    }
    return [
        _connected(StreamPipeline.model_validate(one), connections)
        for one, document in zip(manifests, documents, strict=True)
        if not document.is_connection
    ]


def _connected(
    pipeline: StreamPipeline, connections: Mapping[tuple[str, str], Manifest]
) -> StreamPipeline:
    """With the place of its Redis filled in. Ends the command where that is not known."""
    ref = pipeline.spec.redis.connection_ref
    connection = connections.get((pipeline.namespace, ref.name)) if ref is not None else None
    if ref is not None and connection is None:
        refuse(
            f"{pipeline.name}: {CONNECTION_KIND} {ref.name} is in none of the files: add its file"
        )
    try:
        pipeline = with_redis(pipeline, named(pipeline, connection))
    except NoPlace as error:
        refuse(f"{pipeline.name}: {error}")
    if pipeline.spec.redis.url_key is not None:
        refuse(
            f"{pipeline.name}: where its Redis is stands in a Secret, which render does not"
            " read (credentialsSecretRef.urlKey); write endpoints to see its children"
        )
    return pipeline


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    return {**manifest, "metadata": {"namespace": namespace, **manifest["metadata"]}}
