"""A hook of mkdocs: links out of docs/ lead to the repository, and pages that are written from the
code (commands, flags, SDK) are made while the site is built, so that no copy can be out of date.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import headrace
from headrace.cli import app
from headrace_operator import settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_LINK_UPWARDS = re.compile(r"(?<=\]\()(\.\./[^)#\s]*)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made from the code."""
    for name, text in {
        "commands": commands(),
        "operator-flags": operator_flags(),
        "sdk": sdk(),
    }.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to files outside docs/ become links into the repository."""
    return links_into_repository(markdown, DOCS / page.file.src_uri, config["repo_url"])


def links_into_repository(markdown: str, page: Path, repository: str) -> str:
    """`page` is where the text stands. Raises PluginError for a file that does not exist."""

    def replaced(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        if target.is_relative_to(DOCS):
            return link[1]
        if not target.exists():
            raise PluginError(f"{page}: {link[1]} does not exist")
        kind = "tree" if target.is_dir() else "blob"
        return f"{repository}/{kind}/main/{target.relative_to(ROOT)}"

    return _LINK_UPWARDS.sub(replaced, markdown)


def commands() -> str:
    """A section for each command, with what `--help` says."""
    lines = [
        "# Commands",
        "",
        "Each command says the same under `--help`. Exit codes: 0 done; 1 failed; 2 refused:",
        "wrong input or configuration.",
        "",
    ]
    for path, command in leaves(typer.main.get_command(app), ()):
        context = command.context_class(command, info_name="headrace " + " ".join(path))
        lines += [f"## headrace {' '.join(path)}", "", inspect.cleandoc(command.help or ""), ""]
        lines += ["```text", command.get_usage(context), "```", ""]
        lines += _table(command.get_params(context), context)
    return "\n".join(lines)


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, with the words that call it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from leaves(child, (*path, name))


def _table(parameters: list[Any], context: Any) -> list[str]:
    records = [record for one in parameters if (record := one.get_help_record(context))]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in records]
    return ["| | |", "|---|---|", *rows, ""]


def operator_flags() -> str:
    """What the operator's program takes. The chart's values set most of it."""
    lines = [
        "# Flags of the operator",
        "",
        "The chart sets most of them by [values](../../charts/headrace/README.md); `extraArgs`",
        "appends any.",
        "",
        "```text",
        settings.parser().format_help(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def sdk() -> str:
    """Signature and docstring of every public name and its public members."""
    lines = [
        "# The SDK",
        "",
        "What `import headrace` offers. [Writing handlers](../handlers.md) explains it.",
        "",
    ]
    for name in sorted(headrace.__all__):
        thing = getattr(headrace, name)
        lines += [f"## {name}", "", *_described(thing, name)]
        for member, value in sorted(vars(thing).items()):
            if not member.startswith("_") and inspect.getdoc(value) and _is_member(value):
                lines += [f"### {name}.{member}", "", *_described(value, member)]
    return "\n".join(lines)


def _is_member(value: Any) -> bool:
    return inspect.isroutine(value) or isinstance(value, property)


def _described(thing: Any, name: str) -> list[str]:
    text = [inspect.getdoc(thing) or "", ""]
    if not callable(thing) or (isinstance(thing, type) and issubclass(thing, Exception)):
        return text
    # Annotations are kept as text, which `signature` shows in quotes.
    signature = str(inspect.signature(thing)).replace("'", "")
    return ["```python", f"{name}{signature}", "```", "", *text]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
