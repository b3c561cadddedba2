"""`headrace worker`: run a group's handlers until SIGTERM."""

from __future__ import annotations

import typer

from headrace.worker.process import run_worker
from headrace_api.mounts import HTTP_PORT


def worker(
    port: int = typer.Option(HTTP_PORT, help="Where /metrics, /livez and /readyz are served."),
) -> None:
    """Handle a group's events until SIGTERM.

    The configuration is the file that HEADRACE_CONFIG names.
    """
    raise typer.Exit(run_worker(port))
