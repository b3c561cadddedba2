"""The list of commands in `headrace --help`, under the headings that they were registered with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup


def example(line: str) -> str:
    """The last paragraph of a command's help."""
    return f"Example: {line}"


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Without the words that Python's libraries put in front of their own."""
    try:
        yield
    except BadParameter as error:
        error.message = error.message.removeprefix("Value error, ")
        raise


class GroupedHelp(TyperGroup):
    """Plain text: the library that draws panels takes longer to load than all the rest."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with plain_refusals():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """The commands' own options are read here."""
        with plain_refusals():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None)
                heading = heading if isinstance(heading, str) else "Commands"
                rows = sections.setdefault(heading, [])
                rows.append((name, command.get_short_help_str(formatter.width - 16)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which they were registered."""
        return list(self.commands)
