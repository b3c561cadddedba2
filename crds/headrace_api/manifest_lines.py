"""Where in a YAML file the parts of a manifest stand. Pure.

In: the nodes that PyYAML composes, and paths as problems have them (`spec.groups[0].worker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A key that stands twice in one mapping; lines from 1 on."""

    path: str
    first_line: int
    line: int

    def below(self, path: str) -> Repeated:
        """The same, with its path told from there on."""
        return replace(self, path=self.path.removeprefix(path))


def line_of(node: yaml.Node, path: str) -> int:
    """The line of that key or item; of the innermost that is there, where the rest is missing."""
    line = node.start_mark.line
    while path:
        step = _step(node, path)
        if step is None:
            break
        line, node, path = step
    return int(line) + 1


def repeated_keys(node: yaml.Node) -> Iterator[Repeated]:
    """All of a document that was composed and not yet constructed."""
    yield from _repeated(node, "", set())


def _step(node: yaml.Node, path: str) -> tuple[int, yaml.Node, str] | None:
    """One level down: line, node, and what is left of the path."""
    if isinstance(node, yaml.SequenceNode):
        number, bracket, rest = path.removeprefix("[").partition("]")
        if not bracket or not number.isdigit() or int(number) >= len(node.value):
            return None
        inner = node.value[int(number)]
        return inner.start_mark.line, inner, rest.removeprefix(".")
    if not isinstance(node, yaml.MappingNode):
        return None
    # A key may hold dots itself, as labels do: the longest that fits is meant. Of two that are
    # equal the last counts, and a mapping's own stand behind those that it merges.
    fitting = [
        (key, inner)
        for key, inner in node.value
        if path.startswith(str(key.value)) and path[len(str(key.value)) :][:1] in ("", ".", "[")
    ]
    if not fitting:
        return None
    longest = max(len(str(key.value)) for key, _ in fitting)
    key, inner = [pair for pair in fitting if len(str(pair[0].value)) == longest][-1]
    return key.start_mark.line, inner, path[longest:].removeprefix(".")


def _repeated(node: yaml.Node, path: str, seen: set[int]) -> Iterator[Repeated]:
    if id(node) in seen:
        return  # an alias, perhaps of what holds it
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, inner in enumerate(node.value):
            yield from _repeated(inner, f"{path}[{index}]", seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, inner in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            at = f"{path}.{name}" if path else name
            if name in lines and name != MERGE:
                yield Repeated(at, lines[name], line)
            lines.setdefault(name, line)
            yield from _repeated(inner, at, seen)
