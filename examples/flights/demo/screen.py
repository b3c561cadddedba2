"""The live picture of a run: bars and a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from examples.flights.demo.figures import GROUPS, Figures, GroupFigures, Rate, Workers
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

PLAIN_EVERY = 5.0


class Screen:
    """Use as a block; `update` as often as there is news."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._bars = Progress(
            TextColumn("{task.description:>7}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            console=console,
            expand=True,
        )
        self._tasks = {name: self._bars.add_task(name, total=total) for name in ("sent", *GROUPS)}
        self._rates = {name: Rate() for name in GROUPS}
        self._last_plain = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text)

    def update(
        self, sent: int, figures: Figures, workers: dict[str, Workers], *, force: bool = False
    ) -> None:
        now = time.monotonic()
        groups = {name: figures.groups.get(name, GroupFigures()) for name in GROUPS}
        rates = {name: self._rates[name].add(now, group.settled) for name, group in groups.items()}
        if self._console.is_terminal:
            self._bars.update(self._tasks["sent"], completed=sent)
            for name, group in groups.items():
                self._bars.update(self._tasks[name], completed=group.settled)
            self._live.update(Group(self._bars, _table(figures, groups, workers, rates)))
        elif force or now - self._last_plain >= PLAIN_EVERY:
            self._last_plain = now
            parts = [f"sent {sent:>7,}/{self._total:,}"]
            for name, group in groups.items():
                worker = workers.get(name, Workers())
                parts.append(
                    f"{name}: settled {group.settled:>7,} lag {_number(group.lag):>7} "
                    f"pending {group.pending:>5,} workers {worker.ready}/{worker.wanted} "
                    f"{rates[name]:>7,.0f}/s"
                )
            parts.append(f"dead {figures.dead_letters:,}")
            self._console.print(" | ".join(parts), soft_wrap=True, highlight=False)


def _table(
    figures: Figures,
    groups: dict[str, GroupFigures],
    workers: dict[str, Workers],
    rates: dict[str, float],
) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column("group")
    for name in ("workers", "lag", "pending", "settled", "events/s"):
        table.add_column(name, justify="right")
    for name, group in groups.items():
        worker = workers.get(name, Workers())
        table.add_row(
            name,
            f"{worker.ready}/{worker.wanted}",
            _number(group.lag),
            f"{group.pending:,}",
            f"{group.settled:,}",
            f"{rates[name]:,.0f}",
        )
    table.add_row("dead letters", "", "", "", f"{figures.dead_letters:,}", "")
    return table


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"
