"""`headrace validate`: what is wrong with manifests, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from headrace.cli.options import REFUSED, TextOutput, refuse
from headrace_api.manifest_file import UnusableFile, name_of, read_manifests
from headrace_api.validation import Severity, problems


def run_validate(files: list[Path], output: TextOutput) -> None:
    try:
        found = [
            {"file": str(file), "name": name_of(manifest), **problem}
            for file in files
            for manifest in read_manifests(file)
            for problem in _problems(manifest)
        ]
    except UnusableFile as error:
        refuse(str(error))
    if output is TextOutput.JSON:
        typer.echo(json.dumps(found))
    else:
        for one in found:
            typer.echo(f"{one['file']}: {one['name']}: {one['severity']}: {one['problem']}")
        if not found:
            typer.echo("valid")
    if any(one["severity"] == Severity.ERROR.value for one in found):
        raise typer.Exit(REFUSED)


def _problems(manifest: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"severity": problem.severity.value, "path": problem.path, "problem": str(problem)}
        for problem in problems(manifest)
    ]
