"""How many replicas have a consumer's last flush: `WAIT`, behind a write that it can wait for.

WAIT speaks of what its own connection wrote, and a new connection has written nothing: there it
answers at once, whatever the replicas have. So a script writes the flush's number again, as it
stands, in the same round trip; and tells it, as a new primary may not have the flush at all.
Source: https://redis.io/docs/latest/commands/wait/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from headrace.streams.keys import GroupKeys
from headrace.streams.script import Command, Script

WAIT_MS = 1_000
"""How long one question waits. A replica of the same site answers within one or two ms."""
_SCRIPT = Script("last_flush")


class TooFewReplicas(RedisError):
    """Fewer replicas than asked for have what was written."""

    def __init__(self, have: int, wanted: int) -> None:
        super().__init__(
            f"{have} of {wanted} replicas have it: see `INFO replication`, or lower"
            " delivery.replicas"
        )


@dataclass(frozen=True, slots=True)
class Replicated:
    """`flush`: the last flush that the primary knows. `replicas`: how many have it, too."""

    flush: int
    replicas: int


async def ask(client: Redis, keys: GroupKeys, consumer: str, replicas: int) -> Replicated:
    """Wait until so many replicas have the consumer's last flush, one second at most. Raises redis
    errors."""
    names, args = [keys.state], [consumer]
    try:
        return await _ask(client, _SCRIPT.command(names, args), replicas)
    except NoScriptError:
        return await _ask(client, _SCRIPT.command_with_text(names, args), replicas)


async def _ask(client: Redis, last_flush: Command, replicas: int) -> Replicated:
    both = client.pipeline(transaction=False)
    both.execute_command(*last_flush)
    both.execute_command("WAIT", replicas, WAIT_MS)
    replies: list[Any] = await both.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return Replicated(*map(int, replies))
