"""Our resources in YAML and JSON files, which may hold objects of other kinds beside them."""

import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from headrace_api import CONNECTION_KIND, GROUP, KIND
from headrace_api.manifest_lines import Repeated, line_of, repeated_keys

SUFFIXES = (".yaml", ".yml", ".json")


class UnusableFile(ValueError):
    """The file cannot be read, or holds no StreamPipeline. The message shows nothing of it: a line
    may hold a password in the wrong place."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Document:
    """What is, or is meant to be, a StreamPipeline or a RedisConnection, unchecked.

    `repeated`: keys that stand twice in one mapping, of which YAML keeps the last.
    """

    manifest: dict[str, Any]
    repeated: list[Repeated] = field(default_factory=list)
    _node: yaml.Node | None = None

    @property
    def is_connection(self) -> bool:
        """Whether it is a RedisConnection."""
        return self.manifest.get("kind") == CONNECTION_KIND

    def line(self, path: str) -> int:
        """The line, from 1 on, of `spec.groups[0].worker`, or of the nearest that is there."""
        return line_of(self._node, path) if self._node is not None else 1


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """Every StreamPipeline in the file, unchecked; `-` is standard input. Raises UnusableFile."""
    found = [document.manifest for document in read_documents(path) if not document.is_connection]
    if not found:
        raise UnusableFile(f"{named(path)} holds no {KIND}")
    return found


def read_documents(path: Path, *, templates: bool = False) -> list[Document]:
    """The same with their lines, and what misses the kind by little; perhaps none.

    `templates`: a file that is no YAML and speaks of none of ours, as those of a Helm chart, holds
    none either.
    """
    text = _text(path)
    try:
        return documents_in(path, text)
    except UnusableFile:
        if templates and not _speaks_of_one(text):
            return []
        raise


def documents_below(directory: Path) -> Iterator[tuple[Path, list[Document] | UnusableFile]]:
    """The files below a directory that speak of a StreamPipeline; hidden ones are passed over, and
    so are files of other kinds, which may be templates and no YAML at all."""
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(directory).parts
        if path.suffix not in SUFFIXES or any(part.startswith(".") for part in inside):
            continue
        try:
            text = _text(path)
            found = documents_in(path, text) if _speaks_of_one(text) else []
        except UnusableFile as error:
            yield path, error
            continue
        if found:
            yield path, found


def documents_in(path: Path, text: str) -> list[Document]:
    """Raises UnusableFile, which names `path`, for what is no YAML."""
    try:
        return list(_documents(yaml.SafeLoader(text)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        where = f" at line {line}" if line else ""
        raise UnusableFile(f"{named(path)} is no YAML{where}", line) from None


def named(path: Path) -> str:
    """The file as sentences call it."""
    return "standard input" if str(path) == "-" else str(path)


def name_of(manifest: dict[str, Any]) -> str:
    """metadata.name, or words that say that it has none."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else "(no name)"


def _text(path: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise UnusableFile(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnusableFile(
            f"{named(path)} is no text in UTF-8 from byte {error.start} on"
        ) from None


def _speaks_of_one(text: str) -> bool:
    return GROUP in text or any(one.lower() in text.lower() for one in (KIND, CONNECTION_KIND))


def _documents(loader: yaml.SafeLoader) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        if node is None:
            break
        # Before it is made into values: merge keys (<<) are put in place by that.
        repeated = list(repeated_keys(node))
        content = loader.construct_document(node)
        for one, of_node, path in _items(content, node):
            inside = [key for key in repeated if key.path.startswith(path)]
            yield Document(one, [key.below(path) for key in inside], of_node)


def _items(content: Any, node: yaml.Node, path: str = "") -> Iterator[tuple[Any, yaml.Node, str]]:
    """The object itself, or those of a List."""
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        return
    items = content.get("items")
    lists = ("List", f"{KIND}List", f"{CONNECTION_KIND}List")
    if content.get("kind") in lists and isinstance(items, list):
        values = next(value for key, value in node.value if key.value == "items")
        for index, (one, of_node) in enumerate(zip(items, values.value, strict=True)):
            yield from _items(one, of_node, f"{path}items[{index}].")
    elif _is_meant(content):
        yield content, node, path


def _is_meant(content: dict[str, Any]) -> bool:
    """Whether it is one of ours, or misses being one by a slip of the keyboard."""
    kind, version = content.get("kind"), str(content.get("apiVersion"))
    if kind in (KIND, CONNECTION_KIND) or version.split("/", maxsplit=1)[0] == GROUP:
        return True
    ours = [KIND.lower(), CONNECTION_KIND.lower()]
    return bool(difflib.get_close_matches(str(kind).lower(), ours, n=1, cutoff=0.85))
