"""The commands' names, options and help. Each imports what it needs when it runs, not before."""

from __future__ import annotations

from pathlib import Path

import typer

from headrace.cli.options import (
    DeadLettersOption,
    Output,
    OutputOption,
    StreamArgument,
    TextOutput,
    UrlOption,
)
from headrace_api.mounts import HTTP_PORT


def worker(
    port: int = typer.Option(HTTP_PORT, help="Where /metrics, /livez and /readyz are served."),
) -> None:
    """Handle a group's events until SIGTERM.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    from headrace.worker.process import run_worker

    raise typer.Exit(run_worker(port))


def reclaim() -> None:
    """Take over entries left idle, handle or dead-letter them, and end.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    from headrace.worker.process import run_reclaim

    raise typer.Exit(run_reclaim())


def trim() -> None:
    """Trim the stream of the JSON in HEADRACE_TRIM to its limits, and say why it stopped."""
    from headrace.cli import trim

    trim.run_trim()


def send(
    stream: str = StreamArgument,
    type: str = typer.Option(..., "--type", "-t", help="The events' type, as flight.landed."),
    version: int = typer.Option(1, "--version", min=0, help="Version of the payload's shape."),
    file: Path | None = typer.Option(
        None, "--file", "-f", help="JSON lines, one payload each; else stdin."
    ),
    id_field: str | None = typer.Option(
        None, "--id-field", help="Payload field to send as the event's id (deduplication)."
    ),
    url: str | None = UrlOption,
) -> None:
    """Add one event per line of JSON, pipelined. Prints how many were sent.

    On failure it says how many are surely in the stream, so that the rest can be sent again.
    """
    from headrace.cli import send

    send.run_send(stream, type, version, file, id_field, url)


def backlog(
    stream: str = StreamArgument,
    groups: list[str] = typer.Argument(help="Consumer groups to show.", show_default=False),
    output: Output = OutputOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show lag, pending, parked and ready backlog of consumer groups.

    An unknown lag is shown as unknown, never as 0.
    """
    from headrace.cli import backlog

    backlog.run_backlog(stream, groups, output, dead_letters, url)


def release(
    stream: str = StreamArgument,
    group: str = typer.Argument(help="Name of the consumer group in Redis.", show_default=False),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    url: str | None = UrlOption,
) -> None:
    """Give up the claim of a pipeline on a consumer group, so that another one may have it.

    The group and its data stay. A pipeline that still exists claims the group again.
    """
    from headrace.cli import release

    release.run_release(stream, group, yes, url)


def validate(
    files: list[Path] = typer.Argument(help="Manifests; - for stdin.", show_default=False),
    output: TextOutput = typer.Option("text", "--output", "-o", help="text, or json for programs."),
) -> None:
    """Check StreamPipeline manifests; other kinds in the files are passed over.

    Exit code 0: fine (warnings allowed), 2: at least one error.
    """
    from headrace.cli import validate

    validate.run_validate(files, output)
