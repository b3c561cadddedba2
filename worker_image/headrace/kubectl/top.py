"""`kubectl headrace top`: all pipelines, again and again."""

from __future__ import annotations

import sys
import time
from datetime import datetime

import typer

from headrace.cli.output import CLEAR_SCREEN, screen_width
from headrace.kubectl.pipelines import all_pipelines
from headrace.kubectl.program import Kubectl
from headrace.kubectl.rates import Rates
from headrace.kubectl.screen import fleet_rates

SECONDS = 2.0


def run_top(kubectl: Kubectl, all_namespaces: bool, once: bool) -> None:
    """Until Ctrl-C."""
    where = ["--all-namespaces"] if all_namespaces else []
    rates = Rates()
    while True:
        found = all_pipelines(kubectl, *where)
        now = time.monotonic()
        for pipeline in found:
            rates.add(pipeline, now)
        if sys.stdout.isatty() and not once:
            typer.echo(f"{CLEAR_SCREEN}{datetime.now().astimezone():%H:%M:%S}")
        for line in fleet_rates(found, rates, screen_width()):
            typer.echo(line)
        if once:
            return
        time.sleep(SECONDS)
