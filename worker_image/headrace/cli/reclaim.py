"""`headrace reclaim`: one pass over entries whose workers are gone."""

from __future__ import annotations

import typer

from headrace.worker.process import run_reclaim


def reclaim() -> None:
    """Take over entries left idle, handle or dead-letter them, and end.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    raise typer.Exit(run_reclaim())
