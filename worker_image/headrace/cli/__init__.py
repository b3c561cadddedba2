"""The command line: one file per command. Tables for people, `-o json|yaml` for programs.

Exit codes: 0 done, 1 failed, 2 refused (wrong input or configuration; the message says what to do),
130 ended by Ctrl-C.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import typer

from headrace import __version__, garbage
from headrace.cli import commands
from headrace.cli.dead_commands import dead
from headrace.cli.environment import ENV_CA, ENV_CERTIFICATE, ENV_KEY
from headrace.cli.grouped_help import GroupedHelp, example
from headrace.cli.options import LogFormat

app = typer.Typer(
    name="headrace",
    cls=GroupedHelp,
    help="Redis Streams consumers on Kubernetes.",
    epilog="Exit codes: 0 done; 1 failed; 2 refused: wrong input or configuration;"
    " 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a password
)
LOOK, CHANGE = "Look at streams", "Change streams"
MANIFESTS, IN_PODS = "Manifests", "What pods run"


def _add(heading: str, run: Callable[..., None], *examples: str) -> None:
    epilog = example(examples[0]) if examples else None
    name = run.__name__.rstrip("_")
    app.command(name, rich_help_panel=heading, epilog=epilog)(run)


_add(LOOK, commands.streams, "headrace streams --url redis://localhost:6379/0")
_add(LOOK, commands.backlog, "headrace backlog flights --watch")
_add(LOOK, commands.pending, "headrace pending flights --group delays --entries")
_add(LOOK, commands.peek, "headrace peek flights --from 2h --type flight.landed")
_add(LOOK, commands.tail, "headrace tail flights --type flight.landed")
_add(LOOK, commands.check, "headrace check flights --strict")
_add(LOOK, commands.plan, "headrace plan --rate 500/s --payload 1KiB --retention 24h")
_add(CHANGE, commands.send, "headrace send flights --type flight.landed --file events.ndjson")
_add(CHANGE, commands.trim, "headrace trim flights --max-length 1000000 --dry-run")
app.add_typer(dead, name="dead", rich_help_panel=CHANGE)
_add(CHANGE, commands.release, "headrace release flights delays")
_add(MANIFESTS, commands.validate, "headrace validate pipeline.yaml")
_add(MANIFESTS, commands.render, "headrace render pipeline.yaml")
_add(IN_PODS, commands.worker, "headrace worker --port 8080")
_add(IN_PODS, commands.reclaim, "headrace reclaim")


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
    ca: Path | None = typer.Option(None, envvar=ENV_CA, help="TLS: the CA's file (PEM)."),
    cert: Path | None = typer.Option(
        None, envvar=ENV_CERTIFICATE, help="TLS: this client's certificate (PEM)."
    ),
    key: Path | None = typer.Option(None, envvar=ENV_KEY, help="TLS: the certificate's key (PEM)."),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    import logging

    from headrace import logs

    for name, path in ((ENV_CA, ca), (ENV_CERTIFICATE, cert), (ENV_KEY, key)):
        if path is not None:
            os.environ[name] = str(path)  # where the commands look, however it was given
    style = log_format.value if log_format is not None else logs.default_style()
    logs.configure(logging.DEBUG if verbose else logging.INFO, style)


def main() -> None:
    """The `headrace` command."""
    garbage.pause()
    app()
