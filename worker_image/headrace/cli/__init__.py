"""The command line: one file per command. Tables for people, `-o json` for programs.

Exit codes: 0 done, 1 failed, 2 refused (wrong input or configuration; the message says what to do).
"""

from __future__ import annotations

import typer

from headrace import __version__
from headrace.cli import commands
from headrace.cli.dead_commands import dead
from headrace.cli.grouped_help import GroupedHelp
from headrace.cli.options import LogFormat

app = typer.Typer(
    name="headrace",
    cls=GroupedHelp,
    help="Redis Streams consumers on Kubernetes.",
    epilog="Exit codes: 0 done; 1 failed; 2 refused: wrong input or configuration.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a password
)
IN_PODS, STREAMS, MANIFESTS = "What pods run", "Streams", "Manifests"
app.command("worker", rich_help_panel=IN_PODS)(commands.worker)
app.command("reclaim", rich_help_panel=IN_PODS)(commands.reclaim)
app.command("trim", rich_help_panel=IN_PODS)(commands.trim)
app.command("send", rich_help_panel=STREAMS)(commands.send)
app.command("backlog", rich_help_panel=STREAMS)(commands.backlog)
app.add_typer(dead, name="dead", rich_help_panel=STREAMS)
app.command("release", rich_help_panel=STREAMS)(commands.release)
app.command("validate", rich_help_panel=MANIFESTS)(commands.validate)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headrace {__version__}")
        raise typer.Exit


@app.callback()
def _logging(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more."),
    log_format: LogFormat | None = typer.Option(
        None,
        "--log-format",
        envvar="HEADRACE_LOG_FORMAT",
        case_sensitive=False,
        help="json or plain; json in a pod and plain elsewhere, unless told.",
    ),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    import logging

    from headrace import logs

    style = log_format.value if log_format is not None else logs.default_style()
    logs.configure(logging.DEBUG if verbose else logging.INFO, style)


def main() -> None:
    """The `headrace` command."""
    app()
