"""The list of commands in `headrace --help`, under the headings that they were registered with."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


def example(line: str) -> str:
    """The last paragraph of a command's help."""
    return f"Example: {line}"


class GroupedHelp(TyperGroup):
    """Plain text: the library that draws panels takes longer to load than all the rest."""

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
