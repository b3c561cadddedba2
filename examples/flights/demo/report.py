"""The table at the end of a run."""

from __future__ import annotations

from examples.flights.demo.comparison import Result
from examples.flights.demo.data import Truth
from rich.console import Console
from rich.table import Table


def print_report(console: Console, result: Result, truth: Truth, times: dict[str, float]) -> None:
    console.print(_groups(result))
    console.print(_carriers(result, truth))
    for what, seconds in times.items():
        console.print(f"{what:<34}{seconds:>8.1f} s", highlight=False)
    for problem in result.problems:
        console.print(f"[bold red]wrong:[/] {problem}")
    if result.problems:
        console.print("[bold red]The result differs from the truth in the data.[/]")
    else:
        console.print("[bold green]Every figure equals the truth computed from the CSV.[/]")


def _groups(result: Result) -> Table:
    table = Table(title="Events by group")
    table.add_column("group")
    for name in ("sent", "handled", "dead-lettered", "lost"):
        table.add_column(name, justify="right")
    for name, group in result.groups.items():
        figures = (group.sent, group.handled, group.dead_lettered, group.lost)
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    return table


def _carriers(result: Result, truth: Truth) -> Table:
    table = Table(title="Arrival delay by carrier: handlers and truth", show_footer=True)
    table.add_column("carrier", footer="all")
    landed = sum(carrier.flights for carrier in result.carriers.values())
    table.add_column("flights", footer=f"{landed:,}", justify="right")
    table.add_column("minutes", footer=f"{result.minutes:,}", justify="right")
    table.add_column("flights in CSV", footer=f"{truth.landed:,}", justify="right")
    table.add_column("minutes in CSV", footer=f"{truth.minutes:,}", justify="right")
    table.add_column("", footer="")
    for code in sorted(result.carriers | truth.carriers):
        found, wanted = result.carriers.get(code), truth.carriers.get(code)
        cells = [
            f"{figure:,}"
            for carrier in (found, wanted)
            for figure in ((carrier.flights, carrier.minutes) if carrier else (0, 0))
        ]
        table.add_row(code, *cells, "[green]equal[/]" if found == wanted else "[red]differs[/]")
    return table
