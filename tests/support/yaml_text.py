"""YAML by libyaml: ten times as fast as PyYAML's own parser, and the CRD is 180 kB."""

from collections.abc import Iterator
from typing import Any

import yaml


def load(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def load_all(text: str) -> Iterator[Any]:
    return yaml.load_all(text, Loader=yaml.CSafeLoader)


def keys_written_twice(text: str) -> list[str]:
    """PyYAML lets the last one win; the API server, told to be strict, refuses them."""
    found: list[str] = []
    nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            found += sorted({key for key in keys if keys.count(key) > 1})
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return found
