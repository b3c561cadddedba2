"""kubectl as a program: asked for objects, and handed the terminal."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from headrace.cli.exits import FAILED, refuse

OPTIONS = ("-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "--as")
"""kubectl's own, which may stand anywhere in the line."""

Manifest = dict[str, Any]


class KubectlFailed(Exception):
    """kubectl ended with an error; the message is its own."""


class Kubectl:
    """`options`: where to, and as whom."""

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._options = tuple(options)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output. Raises KubectlFailed."""
        done = self._run(arguments, stdin)
        if done.returncode:
            raise KubectlFailed(_sentence(done.stderr))
        return done.stdout

    def get(self, *arguments: str) -> Manifest:
        """The object, or the List. Raises KubectlFailed."""
        found: Manifest = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def items(self, *arguments: str) -> list[Manifest]:
        """The objects of a List. Raises KubectlFailed."""
        return list(self.get(*arguments)["items"])

    def attempt(self, *arguments: str) -> str:
        """Standard output, or what kubectl said instead."""
        done = self._run(arguments)
        return done.stdout if not done.returncode else f"{_sentence(done.stderr)}\n"

    def show(self, *arguments: str) -> int:
        """Writes to our own output until it ends; its exit code."""
        with _found():
            return subprocess.run(self._line(arguments), check=False).returncode

    def become(self, *arguments: str) -> NoReturn:
        """This process goes on as kubectl."""
        with _found():
            os.execvp("kubectl", self._line(arguments))  # noqa: S606 - no shell is wanted

    def _run(
        self, arguments: Sequence[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        with _found():
            return subprocess.run(
                self._line(arguments),
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                # Ctrl-C is for us: what is cleaned up then must not be interrupted by it.
                start_new_session=True,
            )

    def _line(self, arguments: Sequence[str]) -> list[str]:
        return ["kubectl", *self._options, *arguments]


def split_options(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """kubectl's own options, wherever they stand before `--`, and the rest of the line."""
    options: list[str] = []
    rest: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        name = word.partition("=")[0]
        if word == "--":
            return options, [*rest, word, *words]
        if name not in OPTIONS:
            rest.append(word)
        elif "=" in word or not words:
            options.append(word)
        else:
            options += [word, words.pop(0)]
    return options, rest


@contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        refuse("kubectl is not on the PATH", FAILED)


def _sentence(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "kubectl failed and said nothing"
