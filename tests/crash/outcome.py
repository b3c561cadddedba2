"""What Redis holds when a run has ended."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator

import redis

from headrace.streams.keys import PARKED, GroupKeys
from tests.crash.report import Ending
from tests.crash.setup import PRODUCED
from tests.crash.workload import seq_of

PAGE = 100
OPTIONAL = {"client|setinfo"}
"""What the client library asks for by itself, and does without."""
SENT = b":sent:"
"""Part of the keys in which producers remember their last batch; they expire."""


def left(client: redis.Redis, keys: GroupKeys) -> tuple[int, int | None]:
    """(pending, unread) of the group; unread None when there is no group."""
    groups = client.xinfo_groups(keys.stream)
    if not groups:
        return 0, None
    last = groups[0]["last-delivered-id"].decode()
    return groups[0]["pending"], len(client.xrange(keys.stream, min=f"({last}", count=1))


def ending(
    client: redis.Redis, keys: GroupKeys, output: str, ended_well: set[str], *, orphaned: bool
) -> Ending:
    """`ended_well`: pods whose workers ended by a SIGTERM alone. `orphaned`: the harm destroyed
    consumers, and what was kept of them has nobody any more."""
    pending, unread = left(client, keys)
    return Ending(
        present=frozenset(seq_of(entry_id) for entry_id, _ in _entries(client, keys.stream)),
        dead=Counter(
            seq_of(fields[b"original_id"]) for _, fields in _entries(client, keys.dead_letters)
        ),
        outputs=Counter(_seq(fields) for _, fields in _entries(client, output)),
        pending=pending,
        lag=unread,
        leaked=frozenset() if orphaned else frozenset(_leaked(client, keys, output, ended_well)),
    )


def refused(client: redis.Redis) -> list[str]:
    """What the documented rights did not allow since the server began."""
    return [
        f"{row['username']} was refused {row['object']} ({row['reason']})"
        for row in client.acl_log()
        if row["object"] not in OPTIONAL
    ]


def _leaked(
    client: redis.Redis, keys: GroupKeys, output: str, ended_well: set[str]
) -> Iterator[str]:
    consumers = set()
    with contextlib.suppress(redis.ResponseError):
        consumers = {c["name"].decode() for c in client.xinfo_consumers(keys.stream, keys.group)}
    for key in (keys.retry, keys.failures):
        if client.exists(key):
            yield f"{key}: {client.object('encoding', key)!r} is left"
    known = {keys.stream, output, keys.state, keys.replay, keys.dead_letters}
    known |= {keys.retry, keys.failures, PRODUCED}
    for key in client.scan_iter():
        if key.decode() not in known and SENT not in key:
            yield f"{key.decode()} is unknown"
    for name in (name.decode() for name in client.hkeys(keys.state)):
        kind, _, consumer = name.partition(":")
        if kind in ("flush", "trimmed") and consumer not in consumers:
            yield f"field {name} of no consumer is left in {keys.state}"
    for name in consumers - {PARKED}:
        if name.rpartition("-")[0] in ended_well:
            yield f"consumer {name} of a worker that ended well is left"


def _entries(client: redis.Redis, stream: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """All entries, a few at a time: their payloads may be large."""
    last = "-"
    while page := client.xrange(stream, min=last, count=PAGE):
        yield from page
        last = f"({page[-1][0].decode()}"


def _seq(fields: dict[bytes, bytes]) -> int:
    return int(json.loads(fields[b"payload"])["seq"])
