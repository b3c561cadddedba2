"""`kubectl headrace status`: is it healthy, and if not, why. One screen."""

from __future__ import annotations

import time

import typer

from headrace.cli.exits import FAILED
from headrace.cli.output import screen_width
from headrace.kubectl.pipelines import all_pipelines, pipeline_of, worker_selector
from headrace.kubectl.program import Kubectl, KubectlFailed, Manifest
from headrace.kubectl.screen import condition, fleet, one_pipeline
from headrace_api import KIND

WIDTH = 80


def run_status(kubectl: Kubectl, name: str | None, all_namespaces: bool) -> None:
    """Exit code 1 while one of them is not ready."""
    width = screen_width() or WIDTH
    if name is None:
        found = all_pipelines(kubectl, *(["--all-namespaces"] if all_namespaces else []))
        lines = fleet(found, width)
    else:
        found = [pipeline_of(kubectl, name)]
        lines = one_pipeline(found[0], _pods(kubectl, name), _events(kubectl, name), time.time())
    for line in lines:
        typer.echo(line)
    if any(condition(one, "Ready").get("status") != "True" for one in found):
        raise typer.Exit(FAILED)


def _pods(kubectl: Kubectl, name: str) -> list[Manifest]:
    try:
        return kubectl.items("pods", "--selector", worker_selector(name))
    except KubectlFailed as error:
        typer.echo(f"pods: {error}", err=True)
        return []


def _events(kubectl: Kubectl, name: str) -> list[Manifest]:
    """Of the pipeline itself. They are an extra: whoever may not see them misses little."""
    selector = f"involvedObject.name={name},involvedObject.kind={KIND}"
    try:
        return kubectl.items("events", "--field-selector", selector)
    except KubectlFailed as error:
        typer.echo(f"events: {error}", err=True)
        return []
