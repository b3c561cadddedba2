"""`headrace validate`: what is wrong with manifests, without a cluster."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer
import yaml

from headrace.cli.redis_options import refuse
from headrace_api import KIND
from headrace_api.validation import Severity, problems


def validate(
    files: list[Path] = typer.Argument(help="Manifests; - for stdin."),
    output: str = typer.Option("text", "--output", "-o", help="text or json"),
) -> None:
    """Check StreamPipeline manifests; other kinds in the files are passed over.

    Exit code 0: fine (warnings allowed), 2: at least one error.
    """
    found = [
        {"file": str(file), "name": name, **problem}
        for file in files
        for name, manifest in _manifests(file)
        for problem in _problems(manifest)
    ]
    if output == "json":
        typer.echo(json.dumps(found))
    else:
        for one in found:
            typer.echo(f"{one['file']}: {one['name']}: {one['severity']}: {one['problem']}")
        if not found:
            typer.echo("valid")
    if any(one["severity"] == Severity.ERROR.value for one in found):
        raise typer.Exit(2)


def _problems(manifest: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"severity": problem.severity.value, "path": problem.path, "problem": str(problem)}
        for problem in problems(manifest)
    ]


def _manifests(file: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        refuse(f"cannot read {file}: {error.strerror}")
    except yaml.YAMLError as error:
        # The whole error quotes the line, which may hold a password in the wrong place.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        refuse(f"{file} is no YAML{where}")
    ours = [one for one in documents if isinstance(one, dict) and one.get("kind") == KIND]
    if not ours:
        refuse(f"{file} holds no {KIND}")
    return [(str((one.get("metadata") or {}).get("name", "?")), one) for one in ours]
