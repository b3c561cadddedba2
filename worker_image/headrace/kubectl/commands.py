"""The plugin's commands: names, options and help. Each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from headrace.cli.grouped_help import GroupedHelp, example

app = typer.Typer(
    name="kubectl headrace",
    cls=GroupedHelp,
    help="Pipelines of Headrace in the cluster that kubectl talks to.",
    epilog="kubectl's -n, --context, --kubeconfig and --as may stand anywhere in the line. "
    "Exit codes: 0 done; 1 failed, or the pipeline is not ready; 2 refused: wrong input.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
debug = typer.Typer(
    cls=GroupedHelp, help="What support asks for.", no_args_is_help=True, rich_markup_mode=None
)
CLUSTER, REDIS = "In the cluster", "In Redis, from a Job beside the workers"

PipelineArgument = typer.Argument(help="Name of the pipeline.", show_default=False)
GroupOption = typer.Option(None, "--group", "-g", help="Only this group of the pipeline.")
WordsArgument = typer.Argument(None, metavar="OPTION", help="Passed on; see headrace --help.")


def status(
    context: typer.Context,
    pipeline: str | None = typer.Argument(None, help="Name; all of them, unless told."),
    all_namespaces: bool = typer.Option(False, "--all-namespaces", "-A", help="Of all namespaces."),
) -> None:
    """Say whether a pipeline is healthy, and if not, why."""
    from headrace.kubectl.status import run_status

    run_status(context.obj, pipeline, all_namespaces)


def top(
    context: typer.Context,
    all_namespaces: bool = typer.Option(False, "--all-namespaces", "-A", help="Of all namespaces."),
    once: bool = typer.Option(False, "--once", help="One look, and the end."),
) -> None:
    """Watch all pipelines: workers, backlog, and events a second."""
    from headrace.kubectl.top import run_top

    run_top(context.obj, all_namespaces, once)


def logs(
    context: typer.Context,
    pipeline: str = PipelineArgument,
    group: str | None = GroupOption,
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on as lines come."),
    tail: int = typer.Option(100, "--tail", help="Last lines of each pod; -1 for all."),
    since: str | None = typer.Option(None, "--since", help="Only what is newer than 5s, 2m, 3h."),
) -> None:
    """Print the logs of all workers, each line with its pod."""
    from headrace.kubectl.logs import run_logs

    run_logs(context.obj, pipeline, group, follow, tail, since)


def suspend(context: typer.Context, pipeline: str = PipelineArgument) -> None:
    """Let workers finish what they hold, and stop them."""
    from headrace.kubectl.suspension import set_suspended

    set_suspended(context.obj, pipeline, True)


def resume(context: typer.Context, pipeline: str = PipelineArgument) -> None:
    """Let workers run again."""
    from headrace.kubectl.suspension import set_suspended

    set_suspended(context.obj, pipeline, False)


def _forwarded(name: str, summary: str) -> Callable[..., None]:
    """`headrace <name> <the pipeline's stream> ...`, in a Job."""

    def run(
        context: typer.Context,
        pipeline: str = PipelineArgument,
        words: list[str] | None = WordsArgument,
    ) -> None:
        from headrace.kubectl.in_cluster import run_on_stream

        raise typer.Exit(run_on_stream(context.obj, pipeline, name, words or []))

    run.__doc__ = summary
    return run


def dead(
    context: typer.Context,
    command: str = typer.Argument(help="list, show, replay, purge or export.", show_default=False),
    pipeline: str = PipelineArgument,
    words: list[str] | None = WordsArgument,
) -> None:
    """See dead letters, send them back, delete them."""
    from headrace.kubectl.in_cluster import run_dead

    raise typer.Exit(run_dead(context.obj, pipeline, command, words or []))


@debug.command(epilog=example("kubectl headrace debug bundle flights --file flights.tar.gz"))
def bundle(
    context: typer.Context,
    pipeline: str = PipelineArgument,
    file: Path | None = typer.Option(
        None, "--file", "-f", help="Where to; headrace-NAME.tar.gz, unless told."
    ),
    tail: int = typer.Option(2000, "--tail", help="Last lines of each pod's log."),
    redis: bool = typer.Option(True, help="Look at the stream, too, from a Job."),
) -> None:
    """Collect what support would ask for into one file, without secrets.

    Secrets are never read. Passwords in URLs, and values of variables whose name tells of a secret,
    are replaced.
    """
    from headrace.kubectl.bundle import run_bundle

    run_bundle(context.obj, pipeline, file, tail, with_redis=redis)


def _add(heading: str, name: str, run: Callable[..., None], line: str) -> None:
    passes_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(
        name,
        rich_help_panel=heading,
        epilog=example(line),
        context_settings=passes_on if heading == REDIS else None,
    )(run)


_add(CLUSTER, "status", status, "kubectl headrace status flights")
_add(CLUSTER, "top", top, "kubectl headrace top --all-namespaces")
_add(CLUSTER, "logs", logs, "kubectl headrace logs flights --group delays --follow")
_add(CLUSTER, "suspend", suspend, "kubectl headrace suspend flights")
_add(CLUSTER, "resume", resume, "kubectl headrace resume flights")
app.add_typer(debug, name="debug", rich_help_panel=CLUSTER)
for _name, _summary, _words in (
    ("backlog", "Show what groups still have to do.", "-o json"),
    ("pending", "Show who holds entries, how long and how often.", "--entries"),
    ("peek", "Show entries of the stream, decoded.", "--from 2h"),
    ("tail", "Print entries as they come.", "--type flight.landed"),
    ("check", "Check whether the pipeline's Redis can carry it.", "--strict"),
    ("plan", "Plan the stream's memory and trim.", "--retention 24h"),
    ("trim", "Remove the oldest entries that no group needs.", "--max-length 100000 --dry-run"),
):
    _add(REDIS, _name, _forwarded(_name, _summary), f"kubectl headrace {_name} flights {_words}")
_add(REDIS, "dead", dead, "kubectl headrace dead list flights --since 2h")
