"""`headrace validate`: what is wrong with manifests, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from headrace.cli.exits import REFUSED
from headrace.cli.options import TextOutput
from headrace.cli.output import plural
from headrace_api import KIND
from headrace_api.manifest_file import (
    Document,
    UnusableFile,
    documents_below,
    name_of,
    named,
    read_documents,
)
from headrace_api.validation import Problem, Severity, problems


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem and where it stands; `line` from 1 on, `name` of the StreamPipeline."""

    file: str
    line: int | None
    name: str | None
    severity: Severity
    path: str
    problem: str

    def __str__(self) -> str:
        """`pipeline.yaml:12: flights: error: spec.stream: is required`, as editors know it."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(filter(None, (where, self.name, str(self.severity), self.problem)))


Files = list[tuple[Path, list[Document] | UnusableFile]]
"""What was read of each file, or why it could not be."""


def run_validate(paths: list[Path], output: TextOutput, allow_none: bool) -> None:
    files = [(path, read(path, templates=allow_none)) for path in paths]
    found = [one for path, held in files for one in findings(path, held, allow_none=allow_none)]
    if output is TextOutput.JSON:
        typer.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            typer.echo(str(one))
        if not found:
            typer.echo(_all_valid([documents for _, held in files for _, documents in held]))
    if any(one.severity is Severity.ERROR for one in found):
        raise typer.Exit(REFUSED)


def _all_valid(files: Sequence[list[Document] | UnusableFile]) -> str:
    count = sum(len(documents) for documents in files if isinstance(documents, list))
    verb = "is" if count == 1 else "are"
    return f"{plural(count, 'manifest')} in {plural(len(files), 'file')} {verb} valid"


def read(path: Path, *, templates: bool = False) -> Files:
    """The file, or those below a directory, that hold a StreamPipeline; see read_documents."""
    if path.is_dir():
        return list(documents_below(path))
    try:
        found = read_documents(path, templates=templates)
    except UnusableFile as error:
        return [(path, error)]
    return [(path, found)] if found else []


def findings(path: Path, files: Files, *, allow_none: bool = False) -> Iterator[Finding]:
    """Every problem of what was read from `path`."""
    if not files and not allow_none:
        yield Finding(str(path), None, None, Severity.ERROR, "", f"{named(path)} holds no {KIND}")
    for file, found in files:
        if isinstance(found, UnusableFile):
            yield Finding(str(file), found.line, None, Severity.ERROR, "", str(found))
            continue
        for document in found:
            yield from _of_document(file, document)


def _of_document(file: Path, document: Document) -> Iterator[Finding]:
    found = [(problem, document.line(problem.path)) for problem in problems(document.manifest)]
    for repeated in document.repeated:
        sentence = f"stands twice, first in line {repeated.first_line}; keep one"
        found.append((Problem(repeated.path, sentence), repeated.line))
    name = name_of(document.manifest)
    for problem, line in sorted(found, key=lambda one: one[1]):
        yield Finding(str(file), line, name, problem.severity, problem.path, str(problem))
