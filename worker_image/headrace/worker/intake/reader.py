"""The read loop: XREADGROUP over the stream and its replay stream, on a connection of its own.

Nothing else goes over this connection but commits and look-ups of marks that ride in front of a
read: they are executed before it blocks. A read whose reply was lost may have delivered entries to
us; they are handed back before the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from headrace.entry import Entry
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import GroupKeys
from headrace.streams.script import Command
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import Holding, read_count, read_room
from headrace.worker.intake.deduplication import Deduplication, LookUp
from headrace.worker.metrics import Metrics
from headrace.worker.outage import Outage, is_missing_group
from headrace.worker.settling.settler import Flush, Settler

logger = logging.getLogger("headrace.worker")

REPLY_SECONDS = 5.0
"""How much longer than BLOCK a reply may take before the connection counts as lost."""


@dataclass(slots=True)
class Repair:
    """What the reader asks for when a read went wrong."""

    hand_back_unheld: Callable[[], Awaitable[None]]
    """Give back what is delivered to us and not held; no read is under way."""
    ensure_groups: Callable[[], Awaitable[None]]


class Reader:
    """Owns the read connection. `run` ends after `stop`, with no read outstanding."""

    def __init__(
        self,
        client: Redis,
        keys: GroupKeys,
        consumer: str,
        *,
        block_ms: int,
        batch_size: int,
        concurrency: int,
        holding: Holding,
        dispatcher: Dispatcher,
        settler: Settler,
        metrics: Metrics,
        repair: Repair,
        deduplication: Deduplication | None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._consumer = consumer
        self._block_ms = block_ms
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._holding = holding
        self._dispatcher = dispatcher
        self._settler = settler
        self._metrics = metrics
        self._repair = repair
        self._deduplication = deduplication
        self._connection: AbstractConnection | None = None
        self._stopping = False
        self._room = asyncio.Event()
        self._mean = MeanHandling()
        self.client_id: int | None = None
        """Redis's id of the read connection, for CLIENT UNBLOCK; None while there is none."""
        self.reading = False
        self.progress = monotonic()
        """When the loop last came round, for the liveness probe."""
        self.outage = Outage("read")
        self._unsure = False
        """A reply was lost: entries may be ours without our knowing."""

    def room(self) -> int:
        """Entries that claims may add. A slot's worth is kept for them beside what reads may fill,
        or retries would starve while the stream has a backlog."""
        free = read_room(len(self._holding), self._concurrency, self._batch_size, self._mean.value)
        return max(0, free + self._concurrency)

    def room_changed(self) -> None:
        self._room.set()

    def stop(self) -> None:
        """Start no further read. One that blocks is ended by CLIENT UNBLOCK or by its time."""
        self._stopping = True
        self._room.set()

    async def run(self) -> None:
        while not self._stopping:
            self.progress = monotonic()
            count = self._count()
            if count == 0:
                self._room.clear()
                self._settler.flush_now()
                self._look_up_elsewhere()
                await self._wait_for_room()
                continue
            try:
                await self._prepare()
                await self._read(count)
                self.outage.end()
            except REDIS_ERRORS as error:
                await self._recover(error)
        await self._disconnect()

    def _count(self) -> int:
        held = len(self._holding)
        if self._settler.under_way is None:
            held -= self._settler.ready  # they leave in front of this read
        mean = self._mean.update(self._dispatcher)
        return read_count(held, self._concurrency, self._batch_size, mean)

    async def _wait_for_room(self) -> None:
        # The time-out keeps `progress` moving while handlers run long.
        try:
            await asyncio.wait_for(self._room.wait(), 1.0)
        except TimeoutError:
            return

    async def _prepare(self) -> None:
        """Connect if need be, and give back what a lost reply may have left with us."""
        if self._connection is None:
            self._connection = await self._client.connection_pool.get_connection()
            self._connection.socket_timeout = None  # each read brings its own
        if not self._connection.is_connected:
            await self._connection.connect()
            self.client_id = None
        if self.client_id is None:
            await self._connection.send_command("CLIENT", "ID")
            self.client_id = int(await self._reply(REPLY_SECONDS))
        if self._unsure:
            await self._repair.hand_back_unheld()
            self._unsure = False

    async def _read(self, count: int) -> None:
        connection = self._connection
        assert connection is not None
        keys = self._keys
        read = (
            b"XREADGROUP", b"GROUP", keys.group, self._consumer, b"COUNT", count,
            b"BLOCK", self._block_ms, b"STREAMS", keys.stream, keys.replay, b">", b">",
        )  # fmt: skip
        flush = self._settler.ride()
        look_up = self._deduplication.ride() if self._deduplication is not None else None
        commands: list[Command] = []
        if flush is not None:
            commands.append(flush.packed[0].command())
        if look_up is not None:
            commands.append(look_up.command)
        commands.append(read)
        self._unsure = True
        self.reading = True
        try:
            await connection.send_packed_command(
                [pack_command(command) for command in commands],  # type: ignore[arg-type]
                check_health=False,
            )
            if flush is not None:
                await self._finish(flush)
            if look_up is not None:
                await self._looked_up(look_up)
                look_up = None
            reply = await self._reply(self._block_ms / 1000 + REPLY_SECONDS)
        except BaseException:
            if flush is not None:
                self._settler.missed(flush)
            if look_up is not None and self._deduplication is not None:
                self._deduplication.missed(look_up)
            raise
        finally:
            self.reading = False
        self._unsure = False
        self._metrics.counts["reads"] += 1
        if reply:
            self._deliver(reply)

    async def _finish(self, flush: Flush) -> None:
        try:
            reply = await self._reply(REPLY_SECONDS)
        except NoScriptError:
            self._settler.missed(flush)  # control knows the script's text
        else:
            self._settler.finish(flush, flush.packed[0].read(reply))

    async def _looked_up(self, look_up: LookUp) -> None:
        assert self._deduplication is not None
        try:
            members = await self._reply(REPLY_SECONDS)
        except ResponseError:
            self._deduplication.missed(look_up)  # the read's own answer is still to come
        else:
            self._deduplication.finish(look_up, members)

    def _look_up_elsewhere(self) -> None:
        if self._deduplication is not None:
            self._deduplication.wake()

    async def _reply(self, seconds: float) -> Any:
        connection = self._connection
        assert connection is not None
        async with asyncio.timeout(seconds):
            return await connection.read_response()

    def _deliver(self, reply: list[Any]) -> None:
        for stream, items in reply:
            if stream == self._keys.stream.encode():
                entries = [Entry(id_, fields) for id_, fields in items]
                self._holding.main.update(zip([id_ for id_, _ in items], entries, strict=True))
            else:
                entries = [Entry.replayed(id_, fields) for id_, fields in items]
                self._holding.add(entries)
            if self._deduplication is None:
                self._dispatcher.accept(entries)
            else:
                self._deduplication.admit(entries)

    async def _recover(self, error: BaseException) -> None:
        self._metrics.counts["redis_errors"] += 1
        if is_missing_group(error):
            try:
                await self._repair.ensure_groups()
            except REDIS_ERRORS as again:
                error = again
            else:
                logger.warning("the consumer group was missing and is there again: %s", error)
                self._unsure = False
                return
        else:
            await self._disconnect()
        self._look_up_elsewhere()
        wait = self.outage.begin(error)
        if not self._stopping:
            await asyncio.sleep(wait)

    async def _disconnect(self) -> None:
        self.client_id = None
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)


class MeanHandling:
    """Average seconds per event, smoothed over reads; what bounds the read-ahead."""

    def __init__(self) -> None:
        self._count = 0
        self._total = 0.0
        self.value: float | None = None

    def update(self, dispatcher: Dispatcher) -> float | None:
        count, total = 0, 0.0
        for route in dispatcher.routes.all:
            count += sum(route.times.counts)
            total += route.times.total
        if count > self._count:
            recent = (total - self._total) / (count - self._count)
            self.value = recent if self.value is None else (3 * self.value + recent) / 4
            self._count, self._total = count, total
        return self.value
