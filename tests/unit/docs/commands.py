"""Checks a command line of a page without running it: targets, commands, flags and files exist."""

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import typer
import typer.main
import yaml
from tests.unit.docs.pages import ROOT, Block

from headrace.cli import app
from headrace.kubectl import app as plugin
from headrace.kubectl.program import split_options

_ASSIGNMENT = re.compile(r"[A-Z_]+=")
# typer brings a click of its own: the base of its refusals is reached through what it exports.
_USAGE_ERROR: type[Any] = typer.BadParameter.__bases__[0]
_SEPARATORS = ("|", "||", "&&", ";", "&")
_NEEDS_A_FILE = ("-f", "-k", "--filename", "--kustomize", "--values")
_KUBECTL_READS = ("describe", "diff", "events", "explain", "get", "kustomize", "logs", "wait")
_KUBECTL_ACTS = ("annotate", "apply", "create", "delete", "exec", "label", "patch", "scale")
_KUBECTL_VERBS = frozenset((*_KUBECTL_READS, *_KUBECTL_ACTS, "config", "port-forward", "rollout"))
_HELM_COMMANDS = frozenset(
    ("install", "lint", "package", "rollback", "show", "template", "test", "uninstall", "upgrade")
)
_OTHERS = (
    "cat",
    "cd",
    "cosign",
    "docker",
    "echo",
    "export",
    "gh",
    "git",
    "k3d",
    "kind",
    "openssl",
    "pip",
    "seq",
)


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block. Lines that begin with `$ ` have output below them."""
    text = block.text.replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in _SEPARATORS:
                if words:
                    yield words
                words = []
            elif words or not _ASSIGNMENT.match(word):
                words.append(word)


def problem(words: list[str]) -> str | None:
    """What is wrong with a command, or None."""
    program, *rest = words
    check = _CHECKS.get(program.removeprefix(".venv/bin/"))
    return check(rest) if check else f"{program}: no test knows this program"


def _make(words: list[str]) -> str | None:
    unknown = [word for word in words if not _ASSIGNMENT.match(word) and word not in targets()]
    return f"make has no target {unknown[0]}" if unknown else None


@cache
def targets() -> frozenset[str]:
    """The targets of the Makefile and of make/*.mk."""
    files = [ROOT / "Makefile", *ROOT.glob("make/*.mk")]
    return frozenset(
        name
        for file in files
        for name in re.findall(r"^([a-z][a-z0-9-]*):", file.read_text("utf-8"), re.MULTILINE)
    )


def _headrace(words: list[str]) -> str | None:
    return _parsed(app, words)


def _plugin(words: list[str]) -> str | None:
    return _parsed(plugin, split_options(words)[1])


def _parsed(program: typer.Typer, words: list[str]) -> str | None:
    """Parsed by the program's own parser; nothing is run."""
    command: Any = typer.main.get_command(program)
    if ">" in words:
        words = words[: words.index(">")]  # into a file of the reader's own
    context = None
    name = "headrace"
    try:
        while True:
            with contextlib.redirect_stdout(io.StringIO()):
                context = command.make_context(name, list(words), parent=context)
            if not hasattr(command, "resolve_command"):
                return None
            words = [*context._protected_args, *context.args]
            name, command, words = command.resolve_command(context, words)
    except typer.Exit:
        return None  # --help, --version
    except _USAGE_ERROR as error:
        return f"headrace: {error.format_message()}"


def unknown_mention(text: str) -> str | None:
    """What a sentence names, such as `headrace dead list --group`, and the program does not have.
    Arguments may be missing, and `list | show` are two commands."""
    for number, part in enumerate(text.split(" | ")):
        words = part.split()
        if number == 0:
            before = words[:-1]
        else:
            words = [*before, *words]
        if words[0] == "kubectl":
            words, program = split_options(words[2:])[1], plugin
        else:
            words, program = words[1:], app
        if wrong := _not_there(typer.main.get_command(program), words):
            return f"{text}: {wrong}"
    return None


def _not_there(command: Any, words: list[str]) -> str | None:
    while words and hasattr(command, "commands") and words[0][0] not in "-.":
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {name for parameter in command.params for name in parameter.opts}
    known |= {name for parameter in command.params for name in parameter.secondary_opts}
    flags = [word.strip("[]").partition("=")[0] for word in words]
    missing = [flag for flag in flags if flag[:1] == "-" and flag not in known | {"--help"}]
    return f"no option {missing[0]}" if missing else None


def _python(words: list[str]) -> str | None:
    if words[:1] == ["-m"]:
        if words[1] in ("pip", "venv"):
            return None
        path = ROOT / words[1].replace(".", "/")
        known = path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        return None if known or find_spec(words[1].partition(".")[0]) else f"no module {words[1]}"
    return _exists(words[0])


def _pytest(words: list[str]) -> str | None:
    paths = [word for word in words if word.startswith(("tests", "examples"))]
    return next((wrong for path in paths if (wrong := _exists(path))), None)


def _kubectl(words: list[str]) -> str | None:
    if "--" in words:
        split = words.index("--")
        words, inner = words[:split], words[split + 1 :]
        if wrong := problem(inner):
            return wrong
    if words[:1] == ["headrace"]:
        return _plugin(words[1:])
    verbs = [word for word in words if word in _KUBECTL_VERBS]
    if not verbs:
        return f"kubectl: no known verb in {' '.join(words)}"
    return _files(words)


def _helm(words: list[str]) -> str | None:
    if words[0] not in _HELM_COMMANDS:
        return f"helm has no command {words[0]}"
    charts = [word for word in words if word.startswith("charts/")]
    for chart in charts:
        if wrong := _exists(f"{chart}/Chart.yaml"):
            return wrong
    sets = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    for one in sets:
        values = yaml.safe_load((ROOT / charts[0] / "values.yaml").read_text("utf-8"))
        for key in one.partition("=")[0].split("."):
            if not isinstance(values, dict) or key not in values:
                return f"{charts[0]} has no value {one}"
            values = values[key]
    return _files(words)


def _files(words: list[str]) -> str | None:
    """A path with a slash is the repository's; `handlers.py` is the reader's own."""
    named = [path for flag, path in pairwise(words) if flag in _NEEDS_A_FILE and "/" in path]
    ours = [path for path in named if "://" not in path and path[0] not in "./~"]
    return next((wrong for path in ours if (wrong := _exists(path))), None)


def _exists(path: str) -> str | None:
    return None if (ROOT / path).exists() else f"{path} does not exist"


def _anything(words: list[str]) -> None:
    """A program of somebody else's, with its own documentation."""


_CHECKS: dict[str, Callable[[list[str]], str | None]] = {
    "make": _make,
    "headrace": _headrace,
    "python": _python,
    "python3": _python,
    "pytest": _pytest,
    "kubectl": _kubectl,
    "helm": _helm,
    **dict.fromkeys((*_OTHERS, "redis-cli", "valkey-cli", "sed", "tail"), _anything),
}
