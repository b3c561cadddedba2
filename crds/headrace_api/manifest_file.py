"""The StreamPipelines of a YAML file, which may hold documents of other kinds beside them."""

import sys
from pathlib import Path
from typing import Any

import yaml

from headrace_api import KIND


class UnusableFile(ValueError):
    """The file cannot be read, or holds no StreamPipeline. The message shows nothing of it: a line
    may hold a password in the wrong place."""


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """Every StreamPipeline in the file, unchecked; `-` is standard input. Raises UnusableFile."""
    try:
        text = (sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()).decode("utf-8")
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        raise UnusableFile(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnusableFile(f"{path} is no text in UTF-8 from byte {error.start} on") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise UnusableFile(f"{path} is no YAML{where}") from None
    found = [one for one in documents if isinstance(one, dict) and one.get("kind") == KIND]
    if not found:
        raise UnusableFile(f"{path} holds no {KIND}")
    return found


def name_of(manifest: dict[str, Any]) -> str:
    """metadata.name, or words that say that it has none."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else "(no name)"
