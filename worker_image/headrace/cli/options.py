"""What several commands take.

Nothing heavy is imported here: `headrace --help` must answer at once.
"""

from __future__ import annotations

import os
from enum import StrEnum

import typer

from headrace_api.mounts import ENV_CONFIG


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


def complete_stream(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell: where no Redis is named, nothing is loaded."""
    url = _url_to_complete_from(ctx)
    if url is None and ENV_CONFIG not in os.environ:
        return []
    from headrace.cli import completion

    return completion.streams(url, incomplete)


def complete_group(ctx: typer.Context, incomplete: str) -> list[str]:
    """The same of the groups of the stream that the line names."""
    url = _url_to_complete_from(ctx)
    if url is None and ENV_CONFIG not in os.environ:
        return []
    from headrace.cli import completion

    # Behind an option without its value, the parser leaves the arguments as they are.
    stream = ctx.params.get("stream") or next(iter(ctx.args), None)
    return completion.groups(url, stream, incomplete)


def _url_to_complete_from(ctx: typer.Context) -> str | None:
    return ctx.params.get("url") or os.environ.get("HEADRACE_REDIS_URL") or None


StreamArgument = typer.Argument(
    help="Key of the stream.", show_default=False, autocompletion=complete_stream
)
OptionalStreamArgument = typer.Argument(
    None,
    help="Key of the stream.",
    show_default=False,
    autocompletion=complete_stream,
)
TrimmedStreamArgument = typer.Argument(
    None,
    help="Key of the stream; in a trim Job, HEADRACE_TRIM says it.",
    show_default=False,
    autocompletion=complete_stream,
)
GroupArgument = typer.Argument(
    help="Name of the consumer group in Redis.", show_default=False, autocompletion=complete_group
)
GroupOption = typer.Option(
    None,
    "--group",
    "-g",
    help="Only this consumer group; all, unless told.",
    autocompletion=complete_group,
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
