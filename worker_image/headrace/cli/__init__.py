"""The command line: one file per command. Tables for people, `-o json` for programs.

Exit codes: 0 done, 1 failed, 2 refused (wrong input or configuration; the message says what to do).
"""

from __future__ import annotations

import logging

import typer

from headrace import logs
from headrace.cli.backlog import backlog
from headrace.cli.reclaim import reclaim
from headrace.cli.send import send
from headrace.cli.trim import trim
from headrace.cli.validate import validate
from headrace.cli.worker import worker

app = typer.Typer(
    name="headrace",
    help="Redis Streams consumers on Kubernetes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a password
)
app.command("worker")(worker)
app.command("reclaim")(reclaim)
app.command("trim")(trim)
app.command("send")(send)
app.command("backlog")(backlog)
app.command("validate")(validate)


@app.callback()
def _logging(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more."),
    log_format: str = typer.Option(
        logs.default_style,
        "--log-format",
        envvar=logs.ENV_FORMAT,
        help="json or plain.",
        show_default="json in a pod, else plain",
    ),
) -> None:
    logs.configure(logging.DEBUG if verbose else logging.INFO, log_format)


def main() -> None:
    """The `headrace` command."""
    app()
