"""`kubectl headrace suspend | resume`."""

from __future__ import annotations

import json

import typer

from headrace.cli.exits import FAILED, refuse
from headrace.kubectl.pipelines import RESOURCE, pipeline_of
from headrace.kubectl.program import Kubectl, KubectlFailed


def set_suspended(kubectl: Kubectl, name: str, wanted: bool) -> None:
    """Says so, too, where it was that way before."""
    word = "suspended" if wanted else "resumed"
    if bool(pipeline_of(kubectl, name)["spec"].get("suspend", False)) is wanted:
        typer.echo(f"pipeline {name} was {word} before")
        return
    patch = json.dumps({"spec": {"suspend": wanted}})
    try:
        kubectl("patch", RESOURCE, name, "--type=merge", "--patch", patch)
    except KubectlFailed as error:
        refuse(str(error), FAILED)
    typer.echo(f"pipeline {name} is {word}")
