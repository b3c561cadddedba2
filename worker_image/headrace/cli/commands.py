"""The commands' names, options and help. Each imports what it needs when it runs, not before."""

from __future__ import annotations

from pathlib import Path

import typer

from headrace.cli.options import (
    AppOption,
    DeadLettersOption,
    FromOption,
    GroupArgument,
    GroupOption,
    ManifestOutput,
    OptionalStreamArgument,
    Output,
    OutputOption,
    StreamArgument,
    TextOutput,
    TrimmedStreamArgument,
    TypeOption,
    UrlOption,
    complete_group,
)
from headrace_api.jobs import DEADLINE_SECONDS
from headrace_api.mounts import HTTP_PORT


def worker(
    port: int = typer.Option(
        HTTP_PORT, min=0, max=65535, help="Where /metrics, /livez and /readyz are served."
    ),
) -> None:
    """Handle a group's events until SIGTERM.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    from headrace.worker.process import run_worker

    raise typer.Exit(run_worker(port))


def reclaim(
    deadline: float = typer.Option(
        DEADLINE_SECONDS,
        min=1,
        metavar="SECONDS",
        help="When somebody else ends it (a Job's activeDeadlineSeconds): it stops before.",
    ),
) -> None:
    """Handle entries that were left idle, and end.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    from headrace.worker.process import run_reclaim

    raise typer.Exit(run_reclaim(deadline))


def trim(
    stream: str | None = TrimmedStreamArgument,
    max_length: int | None = typer.Option(None, "--max-length", min=0, help="Entries that stay."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would go, and what stays."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    url: str | None = UrlOption,
) -> None:
    """Remove the oldest entries that no group needs.

    What a group has not read, or still holds, stays beyond the limit, too, and is shown with the
    group and its consumer. Without a stream: what the environment of a trim Job says.
    """
    from headrace.cli import trim

    trim.run_trim(stream, max_length, dry_run=dry_run, yes=yes, url=url)


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
    """Send events: one payload of JSON a line.

    Prints how many were sent.

    On failure it says how many are surely in the stream, so that the rest can be sent again.
    """
    from headrace.cli import send

    send.run_send(stream, type, version, file, id_field, url)


def backlog(
    stream: str = StreamArgument,
    groups: list[str] | None = typer.Argument(
        None,
        help="Consumer groups to show; all, unless told.",
        show_default=False,
        autocompletion=complete_group,
    ),
    output: Output = OutputOption,
    watch: bool = typer.Option(False, "--watch", "-w", help="Again every 2 seconds."),
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show what groups still have to do.

    WAITING is what workers could do now: lag and pending, without entries parked for a later try.
    An unknown lag is shown as unknown, never as 0.
    """
    from headrace.cli import backlog

    backlog.run_backlog(stream, groups or [], output, watch, dead_letters, url)


def pending(
    stream: str = StreamArgument,
    group: str | None = GroupOption,
    entries: bool = typer.Option(False, "--entries", help="One line for each entry, by id."),
    limit: int = typer.Option(100, min=1, help="How many lines --entries prints at most."),
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """Show who holds entries, how long, how often.

    IDLE: the longest time since an entry was delivered, or its holder last renewed it.
    """
    from headrace.cli import pending

    pending.run_pending(stream, group, entries, limit, output, url)


def peek(
    stream: str = StreamArgument,
    count: int = typer.Option(10, "--count", "-n", min=1, help="How many entries at most."),
    first: bool = typer.Option(False, "--first", help="The oldest first, not the newest."),
    since: str | None = FromOption,
    type: str | None = TypeOption,
    app: str | None = AppOption,
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """Show entries, the newest first.

    With --from: the first ones from there on. No group notices.
    """
    from headrace.cli import peek

    peek.run_peek(
        stream,
        count=count,
        first=first,
        since=since,
        type_=type,
        app=app,
        output=output,
        url=url,
    )


def tail(
    stream: str = StreamArgument,
    since: str | None = FromOption,
    type: str | None = TypeOption,
    app: str | None = AppOption,
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """Show entries as they come, until Ctrl-C.

    No group notices. A Redis that is away is waited for, and no entry is passed over.
    """
    from headrace.cli import tail

    tail.run_tail(stream, since=since, type_=type, app=app, output=output, url=url)


def streams(
    beginning: str = typer.Argument("", help="Only streams whose name begins so."),
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """List streams, their groups and the pipelines that own them."""
    from headrace.cli import streams

    streams.run_streams(beginning, output, url)


def check(
    stream: str | None = OptionalStreamArgument,
    strict: bool = typer.Option(False, "--strict", help="Warnings fail, too."),
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """Check whether a Redis can carry a pipeline.

    Connection, version, rights, persistence, memory, replicas, clock. Nothing is written.
    Exit code 0: fine (warnings allowed), 1: something failed.
    """
    from headrace.cli import check

    check.run_check(stream, strict, output, url)


def plan(
    stream: str | None = OptionalStreamArgument,
    rate: str | None = typer.Option(
        None, metavar="RATE", help="Of events: 500/s, 30000/m, 9000/h."
    ),
    payload: str | None = typer.Option(None, metavar="SIZE", help="Of one event: 300B, 1KiB."),
    retention: str = typer.Option(..., metavar="TIME", help="How long events stay: 24h."),
    output: Output = OutputOption,
    url: str | None = UrlOption,
) -> None:
    """Plan a stream's memory and trim.

    A stream that is there tells its own rate and cost. With a Redis: does it have the memory?
    """
    from headrace.cli import plan

    plan.run_plan(stream, rate, payload, retention, output, url)


def release(
    stream: str = StreamArgument,
    group: str = GroupArgument,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    url: str | None = UrlOption,
) -> None:
    """Free a consumer group whose pipeline is gone.

    The group and its data stay. A pipeline that still exists claims the group again.
    """
    from headrace.cli import release

    release.run_release(stream, group, yes, url)


def validate(
    files: list[Path] = typer.Argument(
        help="Manifests, or directories of them; - for stdin.", show_default=False
    ),
    output: TextOutput = typer.Option("text", "--output", "-o", help="text, or json for programs."),
    allow_none: bool = typer.Option(
        False,
        "--allow-none",
        help="Files without a StreamPipeline are fine, templates of charts, too.",
    ),
) -> None:
    """Check StreamPipeline manifests without a cluster.

    Every problem of every file is told at once, with its line.

    Exit code 0: fine (warnings allowed), 2: at least one error.
    """
    from headrace.cli import validate

    validate.run_validate(files, output, allow_none)


def render(
    files: list[Path] = typer.Argument(help="Manifests; - for stdin.", show_default=False),
    output: ManifestOutput = typer.Option("yaml", "--output", "-o", help="yaml or json."),
    namespace: str = typer.Option(
        "default", "--namespace", "-n", help="Where a manifest names none."
    ),
    worker_image: str | None = typer.Option(
        None,
        "--worker-image",
        envvar="HEADRACE_WORKER_IMAGE",
        help="As the operator is told; else the one of this version.",
    ),
    worker_defaults: str = typer.Option(
        "{}",
        "--worker-defaults",
        envvar="HEADRACE_WORKER_DEFAULTS",
        help="As the operator is told.",
    ),
) -> None:
    """Show what the operator makes of StreamPipeline manifests.

    From a cluster, children get the names and owners that they have there:

    kubectl get streampipeline flights -o yaml | headrace render -
    """
    from headrace.cli import render

    render.run_render(files, output, namespace, worker_image, worker_defaults)
