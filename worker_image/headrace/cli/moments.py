"""Times and ids as people type them: `2h` (ago), `2026-11-26T18:00`, `1700000000000-0`."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

from headrace.cli.exits import refuse
from headrace.cli.redis_options import Place
from headrace.cli.values import milliseconds
from headrace.streams.ids import is_clock, parse_id
from headrace.streams.script import call
from headrace_api.duration import parse as parse_duration

ID = re.compile(r"\d{1,20}(-\d{1,20})?")
LARGEST_PART = (1 << 64) - 1


def is_id(text: str) -> bool:
    """Whether it is an id, whole or its time alone, that a stream can have."""
    return bool(ID.fullmatch(text)) and all(int(one) <= LARGEST_PART for one in text.split("-"))


def moment_of(text: str, now: datetime) -> datetime:
    """`2h` (ago), or `2026-11-26T18:00` (UTC unless it says otherwise)."""
    moment = _parsed(text, now)
    if moment is None:
        refuse(f"{text!r} is no time; write 2h for two hours ago, or 2026-11-26T18:00 (UTC)")
    return moment


def _parsed(text: str, now: datetime) -> datetime | None:
    with suppress(ValueError):
        return now - parse_duration(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def first_id(moment: datetime) -> bytes:
    """The first id that an entry of this moment can have."""
    return b"%d-0" % max(0, milliseconds(moment))


def check_start(text: str | None) -> None:
    """Refuse what is neither an id nor a time, before Redis is asked."""
    known = text is None or is_id(text) or _parsed(text, datetime.now(UTC))
    if not known:
        refuse(
            f"{text!r} is neither an id nor a time; write 1700000000000-0, 2h for two hours ago,"
            " or 2026-11-26T18:00 (UTC)"
        )


async def start_id(place: Place, stream: str, text: str) -> bytes:
    """Where reading begins: the id, or the first one of that time by the server's clock."""
    if is_id(text):
        return text.encode()
    now_ms = await place.server_ms()
    if not is_clock(parse_id(await last_generated_id(place, stream)), now_ms):
        refuse(f"the ids of {stream} are no clock; say an id in place of {text}")
    return first_id(moment_of(text, datetime.fromtimestamp(now_ms / 1000, UTC)))


async def last_generated_id(place: Place, stream: str) -> bytes:
    """The id of the newest entry that there ever was."""
    row = await call(place.client, ("XINFO", "STREAM", stream))
    found: bytes = dict(zip(row[::2], row[1::2], strict=True))[b"last-generated-id"]
    return found
