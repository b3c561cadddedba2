"""How a command ends that cannot do what it was asked."""

from __future__ import annotations

from typing import NoReturn

import typer

FAILED = 1
REFUSED = 2
INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""


def refuse(reason: str, code: int = REFUSED) -> NoReturn:
    """End with one sentence on stderr."""
    typer.echo(f"headrace: {reason}", err=True)
    raise typer.Exit(code)
