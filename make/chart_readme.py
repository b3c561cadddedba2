"""Write charts/<name>/README.md, and the descriptions in values.schema.json, from values.yaml.

    python make/chart_readme.py charts/headrace            write them
    python make/chart_readme.py charts/headrace --check    exit 1 when they are not up to date

A comment that starts with `# --` describes the key below it. What stands in README.md above the
heading "## Values" is kept.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HEADING = "## Values"
_KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):")


@dataclass(frozen=True)
class Value:
    """One line of the table; `path` holds the keys from the root."""

    path: tuple[str, ...]
    text: str
    default: Any


def read(values: Path) -> list[Value]:
    """Every described value, in file order. Raises ValueError on a leaf without a text."""
    text = values.read_text("utf-8")
    defaults = yaml.safe_load(text)
    found, described, path = [], [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# --"):
            described = [stripped.removeprefix("# --").strip()]
        elif stripped.startswith("#") and described:
            described.append(stripped.removeprefix("#").strip())
        elif key := _KEY.match(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if described:
                found.append(Value(tuple(path), " ".join(described), _at(defaults, path)))
            elif _is_leaf(_at(defaults, path)):
                inside = any(value.path == tuple(path[: len(value.path)]) for value in found)
                if not inside:
                    raise ValueError(
                        f"{values}: {'.'.join(path)} has no line that starts with # --"
                    )
            described = []
    return found


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, dict) or not value


def table(values: list[Value]) -> str:
    rows = ["| value | default | |", "|---|---|---|"]
    for value in values:
        default = json.dumps(value.default)
        rows.append(
            f"| `{'.'.join(value.path)}` | `{default}` | {value.text.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows) + "\n"


def described_schema(schema: dict[str, Any], values: list[Value]) -> dict[str, Any]:
    """The schema with each value's text as its description."""
    for value in values:
        node = schema
        for key in value.path:
            node = node["properties"][key]
        node["description"] = value.text
    return schema


def main(arguments: list[str]) -> int:
    chart, check = Path(arguments[0]), "--check" in arguments
    values = read(chart / "values.yaml")
    readme, schema = chart / "README.md", chart / "values.schema.json"
    head = readme.read_text("utf-8").partition(HEADING)[0]
    described = described_schema(json.loads(schema.read_text("utf-8")), values)
    wanted = {
        readme: f"{head}{HEADING}\n\n{table(values)}",
        schema: json.dumps(described, indent=2) + "\n",
    }
    stale = [file for file, text in wanted.items() if file.read_text("utf-8") != text]
    for file in stale:
        if check:
            print(f"{file} is not what values.yaml says: run make chart")
        else:
            file.write_text(wanted[file], "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
