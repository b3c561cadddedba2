"""The read loop: XREADGROUP over the stream and its replay stream, on a connection of its own.

Nothing else goes over this connection but what riders (commits, look-ups of marks) send in front
of a read: it is executed before the read blocks. After any error the connection is dropped: a
reply may still be on its way, and would be taken for the next answer. A read whose reply was lost
may have delivered entries to us; they are handed back before the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from headrace.entry import Entry
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import GroupKeys
from headrace.worker.group_guard import GroupGuard
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import Holding, read_count, read_room
from headrace.worker.intake.deduplication import Deduplication
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REFUSALS, Outage
from headrace.worker.rider import Ride, Rider
from headrace.worker.settling.settler import Settler

logger = logging.getLogger("headrace.worker")

REPLY_SECONDS = 5.0
"""How much longer than BLOCK a reply may take before the connection counts as lost."""


class Reader:
    """Owns the read connection. `run` ends after `stop`, with no read outstanding.

    `hand_back_unheld` gives back what is delivered to us and not held; it is called while no read
    is under way.
    """

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
        group: GroupGuard,
        hand_back_unheld: Callable[[], Awaitable[None]],
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
        self._group = group
        self._hand_back_unheld = hand_back_unheld
        self._deduplication = deduplication
        self._riders: Sequence[Rider] = [settler, deduplication] if deduplication else [settler]
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
                self._send_riders_now()
                await self._wait_for_room()
                continue
            try:
                await self._prepare()
                await self._read(count)
                self.outage.end()
            except (*REDIS_ERRORS, *REFUSALS) as error:
                await self._recover(error)
        await self._disconnect()

    def _count(self) -> int:
        held = len(self._holding) - self._settler.leaving
        mean = self._mean.update(self._dispatcher)
        return read_count(held, self._concurrency, self._batch_size, mean)

    async def _wait_for_room(self) -> None:
        # The time-out keeps `progress` moving while handlers run long.
        try:
            await asyncio.wait_for(self._room.wait(), 1.0)
        except TimeoutError:
            return

    async def _prepare(self) -> None:
        """Have the group and a connection, and give back what a lost reply may have left with
        us."""
        await self._group.restore()
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
            await self._hand_back_unheld()
            self._unsure = False

    async def _read(self, count: int) -> None:
        connection = self._connection
        assert connection is not None
        keys = self._keys
        read = (
            b"XREADGROUP", b"GROUP", keys.group, self._consumer, b"COUNT", count,
            b"BLOCK", self._block_ms, b"STREAMS", keys.stream, keys.replay, b">", b">",
        )  # fmt: skip
        rides = [ride for rider in self._riders if (ride := rider.take_for_read()) is not None]
        commands = [*(ride.command for ride in rides), read]
        self._unsure = True
        self.reading = True
        try:
            await connection.send_packed_command(
                [pack_command(command) for command in commands],  # type: ignore[arg-type]
                check_health=False,
            )
            while rides:
                await self._answer(rides[0])
                del rides[0]
            reply = await self._reply(self._block_ms / 1000 + REPLY_SECONDS)
        except BaseException:
            for ride in rides:
                ride.failed()
            raise
        finally:
            self.reading = False
        self._unsure = False
        self._metrics.counts["reads"] += 1
        if reply:
            self._deliver(reply)

    async def _answer(self, ride: Ride) -> None:
        try:
            reply = await self._reply(REPLY_SECONDS)
        except ResponseError:
            ride.failed()  # the control connection asks again; the read's own answer comes next
        else:
            ride.answered(reply)

    def _send_riders_now(self) -> None:
        for rider in self._riders:
            rider.send_now()

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
        self._group.note(error)
        await self._disconnect()
        self._send_riders_now()
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
