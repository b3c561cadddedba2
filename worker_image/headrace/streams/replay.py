"""Dead letters go back to the group that failed them, each in one script.

The script writes the replay entry and takes the letter away: a replay that is cut short, or sent
again, loses and doubles nothing.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from headrace.streams.dead_letters import Letter, replay_fields
from headrace.streams.keys import StreamKeys, UnusableName
from headrace.streams.script import Argument, Script

_SCRIPT = Script("replay")
_WRITE_BYTES = 1 << 20


async def replay(client: Redis, keys: StreamKeys, letters: Sequence[Letter]) -> dict[bytes, str]:
    """Send letters back, about a MiB a write. Returns id -> why not, for those left where they are.

    Raises connection errors: then some of the letters may have been sent.
    """
    refused: dict[bytes, str] = {}
    batch: list[tuple[Letter, list[Argument], list[Argument]]] = []
    weight = 0
    for letter in letters:
        try:
            batch.append((letter, *_call(keys, letter)))
        except UnusableName as error:
            refused[letter.id] = f"{error}; purge the letter"
            continue
        weight += sum(map(len, letter.fields))
        if weight >= _WRITE_BYTES:
            refused |= await _send(client, batch)
            batch, weight = [], 0
    return refused | await _send(client, batch)


def _call(keys: StreamKeys, letter: Letter) -> tuple[list[Argument], list[Argument]]:
    """KEYS and ARGV of the script. Raises UnusableName where no group of ours can be meant."""
    if letter.original_stream != keys.stream:
        raise UnusableName(f"it comes from another stream, {letter.original_stream!r}")
    group = keys.for_group(letter.group)
    return [keys.dead_letters, group.replay], [letter.id, group.group, *replay_fields(letter)]


async def _send(
    client: Redis, batch: Sequence[tuple[Letter, list[Argument], list[Argument]]]
) -> dict[bytes, str]:
    if not batch:
        return {}
    pipeline = client.pipeline(transaction=False)
    for _, names, args in batch:
        pipeline.execute_command(*_SCRIPT.command(names, args))
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    refused = {}
    for (letter, names, args), reply in zip(batch, replies, strict=True):
        # A server that forgot the script answers so to all: each is sent once more, with its text.
        answer = reply
        if isinstance(reply, NoScriptError):
            answer = await _SCRIPT.run(client, names, args)
        reason = _reason(answer, letter.group)
        if reason:
            refused[letter.id] = reason
    return refused


def _reason(reply: Any, group: str) -> str:
    """Why a letter was left where it is; empty when it was sent."""
    if isinstance(reply, RedisConnectionError):
        raise reply
    if isinstance(reply, ResponseError):
        return str(reply)
    if isinstance(reply, bytes):
        return ""
    if reply[0] == b"error":
        return str(reply[1].decode("utf-8", "replace"))
    if reply[0] == b"gone":
        return "it was replayed or purged by somebody else"
    return f"group {group!r} does not exist on the server yet; wait until its workers started"
