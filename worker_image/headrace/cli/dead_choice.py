"""Which dead letters a command is about: where they are, and the filters that choose among them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from headrace.cli.exits import FAILED, refuse
from headrace.cli.moments import first_id, is_id, moment_of
from headrace.cli.names import exists, group_names
from headrace.cli.peek import check_exists
from headrace.cli.redis_options import opened
from headrace.streams.dead_letters import Letter, get_letter, last_id, pages
from headrace.streams.keys import StreamKeys
from headrace.streams.script import call


@dataclass(frozen=True, slots=True)
class Letters:
    """Where the dead letters are, as told on the command line."""

    stream: str | None
    dead_letters: str | None
    url: str | None

    @asynccontextmanager
    async def open(self, *, new: bool = False) -> AsyncIterator[tuple[Redis, StreamKeys]]:
        """Where neither the stream nor letters are there, the command ends, but for one that may
        put the first ones there (`new`)."""
        async with opened(self.url) as place:
            keys = place.keys(self.stream, self.dead_letters)
            if not await exists(place.client, keys.dead_letters) and not new:
                await check_exists(place, keys.stream)
            yield place.client, keys


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; every part that is given must fit."""

    ids: tuple[str, ...] = ()
    group: str | None = None
    type: str | None = None
    version: str | None = None
    error: str | None = None
    since: str | None = None
    until: str | None = None
    all: bool = False

    def __post_init__(self) -> None:
        for one in self.ids:
            check_id(one)
        for moment in (self.since, self.until):
            if moment is not None:
                moment_of(moment, datetime.now(UTC))  # refused before Redis is asked

    def check_said(self) -> None:
        """For a command that changes something: the choice must be said, and said once."""
        filters = (self.group, self.type, self.version, self.error, self.since, self.until)
        narrowed = bool(self.ids or any(one is not None for one in filters))
        if not narrowed and not self.all:
            refuse("say which letters: ids, --group, --type, --error, --since, or --all")
        if narrowed and self.all:
            refuse("--all beside another choice: say either")

    def fits(self, letter: Letter) -> bool:
        return (
            (self.group is None or letter.group == self.group)
            and (self.type is None or letter.type == self.type)
            and (self.version is None or letter.version == self.version)
            and (self.error is None or self.error in f"{letter.error_type}: {letter.error}")
        )

    async def found(self, client: Redis, keys: StreamKeys) -> AsyncIterator[list[Letter]]:
        """The letters meant, page by page, as far as there are any now: what comes later, as a
        replayed event that fails again, is left alone. Where there are none, and no such group
        either, the command ends."""
        found = False
        async for page in self._pages(client, keys):
            found = found or bool(page)
            yield page
        if found or self.group is None:
            return
        if self.group not in (await group_names(client, keys.stream) or []):
            refuse(f"stream {keys.stream} has no group {self.group}", FAILED)

    async def _pages(self, client: Redis, keys: StreamKeys) -> AsyncIterator[list[Letter]]:
        if self.ids:
            for one in self.ids:
                letter = await get_letter(client, keys, one.encode())
                if letter is None:
                    refuse(f"there is no dead letter {one} in {keys.dead_letters}", FAILED)
                if self.fits(letter):
                    yield [letter]
            return
        newest = await last_id(client, keys)
        if newest is None:
            return
        since, until = await self._range(client, newest)
        if order(since) > order(until):
            return
        async for page in pages(client, keys, since=since, until=until):
            yield [letter for letter in page if self.fits(letter)]

    async def _range(self, client: Redis, newest: bytes) -> tuple[bytes, bytes]:
        """Ids of letters are the times of death by the server's clock, so both read the same."""
        if self.since is None and self.until is None:
            return b"0-0", newest
        seconds, _ = await call(client, ("TIME",))
        now = datetime.fromtimestamp(int(seconds), UTC)
        since = b"0-0" if self.since is None else first_id(moment_of(self.since, now))
        until = newest if self.until is None else first_id(moment_of(self.until, now))
        return since, min(until, newest, key=order)


def check_id(text: str) -> None:
    if not is_id(text):
        refuse(f"{text!r} is no id of a dead letter; it looks like 1700000000000-0")


def order(letter_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = letter_id.partition(b"-")
    return int(milliseconds), int(sequence or 0)
