"""Questions to the person who typed the command."""

from __future__ import annotations

import signal
import sys

import typer

from headrace.cli.exits import INTERRUPTED, refuse
from headrace.cli.terminal import is_terminal


def ask(question: str, *, what: str) -> None:
    """Ends the command where the answer is no. `what`: why nobody there to ask is no yes.

    Ctrl-C counts at once: the event loop's own handler would only take note of it.
    """
    if not is_terminal(sys.stdin):
        refuse(f"{what} is for good, and nobody is there to ask; add --yes if it is meant")
    if not confirmed(question):
        refuse("nothing was changed")


def confirmed(question: str) -> bool:
    """Yes or no, from the terminal or from a pipe."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)
        if not is_terminal(sys.stdin):
            return False  # the pipe ended
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, handler)
