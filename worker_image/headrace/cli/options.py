"""What several commands take, and how a command ends that cannot do what it was asked.

Nothing heavy is imported here: `headrace --help` must answer at once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

import typer

FAILED = 1
REFUSED = 2
INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""

ENV_PASSWORD = "HEADRACE_REDIS_PASSWORD"  # noqa: S105 - a variable's name
ENV_CA = "HEADRACE_REDIS_CA"
ENV_CERTIFICATE = "HEADRACE_REDIS_CERT"
ENV_KEY = "HEADRACE_REDIS_KEY"


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class ManifestOutput(StrEnum):
    YAML = "yaml"
    JSON = "json"


class TextOutput(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogFormat(StrEnum):
    JSON = "json"
    PLAIN = "plain"


def _streams(incomplete: str) -> list[str]:
    from headrace.cli.names import complete_streams

    return complete_streams(incomplete)


StreamArgument = typer.Argument(
    help="Key of the stream.", show_default=False, autocompletion=_streams
)
OptionalStreamArgument = typer.Argument(
    None,
    help="Key of the stream.",
    show_default=False,
    autocompletion=_streams,
)
TrimmedStreamArgument = typer.Argument(
    None,
    help="Key of the stream; in a trim Job, HEADRACE_TRIM says it.",
    show_default=False,
    autocompletion=_streams,
)
GroupOption = typer.Option(
    None, "--group", "-g", help="Only this consumer group; all, unless told."
)
FromOption = typer.Option(
    None,
    "--from",
    metavar="WHERE",
    help="Begin there: an id, 2h (ago), or 2026-11-26T18:00.",
)
AppOption = typer.Option(
    None,
    "--app",
    metavar="MODULE:APP",
    help="Read payloads that are no JSON with this app's deserializers.",
)
TypeOption = typer.Option(None, "--type", "-t", help="Only events of this type.")
OutputOption = typer.Option(
    "table", "--output", "-o", help="table for people; json or yaml for programs."
)
UrlOption = typer.Option(
    None,
    "--url",
    envvar="HEADRACE_REDIS_URL",
    help="redis://HOST:PORT/DB; without it, the Redis of the file that HEADRACE_CONFIG names. "
    "Give a password by the environment (HEADRACE_REDIS_URL or HEADRACE_REDIS_PASSWORD), not here.",
    show_envvar=True,
)
DeadLettersOption = typer.Option(
    None,
    "--dead-letters",
    metavar="KEY",
    help="The dead letter stream, where the pipeline names one of its own (deadLetter.stream); "
    "with HEADRACE_CONFIG it is known.",
)


def refuse(reason: str, code: int = REFUSED) -> NoReturn:
    """End with one sentence on stderr."""
    typer.echo(f"headrace: {reason}", err=True)
    raise typer.Exit(code)
