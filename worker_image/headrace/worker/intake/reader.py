"""The read loop: XREADGROUP over the stream and its replay stream, on a connection of its own.

Nothing else goes over this connection but what riders (commits, look-ups of marks) send in front
of a read: it is executed before the read blocks. After any error the connection is dropped: a
reply may still be on its way, and would be taken for the next answer. A read whose reply was lost
may have delivered entries to us; they are handed back before the next one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from headrace.entry import Entry
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.connection import AsyncConnection, AsyncTlsConnection
from headrace.streams.keys import GroupKeys
from headrace.worker.group_guard import GroupGuard
from headrace.worker.handling.dispatcher import Dispatcher
from headrace.worker.held import LARGE_BYTES, Holding
from headrace.worker.intake.deduplication import Deduplication
from headrace.worker.intake.reply_size import MAX_REPLY_BYTES
from headrace.worker.intake.room import Room
from headrace.worker.metrics import Metrics
from headrace.worker.outage import REFUSALS, Outage
from headrace.worker.rider import Ride, Rider
from headrace.worker.settling.settler import Settler

logger = logging.getLogger("headrace.worker")

REPLY_SECONDS = 5.0
"""How much longer than BLOCK a reply may take before the connection counts as lost."""
NO_CLIENT_ID = 0
"""In place of a connection's id, for a user who may not call CLIENT ID."""


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
        room: Room,
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
        self._room = room
        self._holding = holding
        self._dispatcher = dispatcher
        self._settler = settler
        self._metrics = metrics
        self._group = group
        self._hand_back_unheld = hand_back_unheld
        self._deduplication = deduplication
        self._riders: Sequence[Rider] = [settler, deduplication] if deduplication else [settler]
        self._connection: AsyncConnection | AsyncTlsConnection | None = None
        self._stopping = False
        self._room_changed = asyncio.Event()
        self.client_id: int | None = None
        """Redis's id of the read connection, for CLIENT UNBLOCK; None while there is none."""
        self.reading = False
        self.progress = monotonic()
        """When the loop last came round, for the liveness probe."""
        self.outage = Outage("read")
        self._large = False
        """The entries of the last reply are large, on average."""
        self._unsure = False
        """A reply was lost: entries may be ours without our knowing."""

    def room_changed(self) -> None:
        self._room_changed.set()

    def stop(self) -> None:
        """Start no further read. One that blocks is ended by CLIENT UNBLOCK or by its time."""
        self._stopping = True
        self._room_changed.set()

    async def run(self) -> None:
        while not self._stopping:
            self.progress = monotonic()
            count = self._room.for_read()
            if count == 0:
                self._room_changed.clear()
                self._send_riders_now()
                self._dispatcher.end_lingering()
                await self._wait_for_room()
                continue
            try:
                await self._prepare()
                await self._read(count)
                self.outage.end()
            except (*REDIS_ERRORS, *REFUSALS) as error:
                await self._recover(error)
        await self._disconnect()

    async def _wait_for_room(self) -> None:
        # The time-out keeps `progress` moving while handlers run long.
        try:
            await asyncio.wait_for(self._room_changed.wait(), 1.0)
        except TimeoutError:
            return

    async def _prepare(self) -> None:
        """Have the group and a connection, and give back what a lost reply may have left with
        us."""
        await self._group.restore()
        if self._connection is None:
            connection = await self._client.connection_pool.get_connection()
            assert isinstance(connection, (AsyncConnection, AsyncTlsConnection))
            self._connection = connection
        if not self._connection.is_connected:
            await self._connection.connect()  # type: ignore[no-untyped-call]
            self.client_id = None
        if self.client_id is None:
            await self._connection.send_command("CLIENT", "ID")
            try:
                self.client_id = int(await self._reply(REPLY_SECONDS))
            except NoPermissionError:
                self.client_id = NO_CLIENT_ID
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
            # A single entry is taken whatever it weighs.
            connection.max_bytes = MAX_REPLY_BYTES if count > 1 else math.inf
            reply = await self._reply(self._block_ms / 1000 + REPLY_SECONDS)
        except BaseException as error:
            for ride in rides:
                ride.failed()
            if not isinstance(error, ResponseError):
                self._room.reply_size.failed(count, connection.received)
            raise
        finally:
            connection.max_bytes = math.inf
            self.reading = False
        self._unsure = False
        self._metrics.counts["reads"] += 1
        if reply:
            self._weigh(reply, connection.received, connection.seconds)
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
        connection.socket_timeout = seconds
        return await connection.read_response()

    def _weigh(self, reply: list[Any], size: int, seconds: float) -> None:
        count = sum(len(items) for _, items in reply)
        self._room.reply_size.arrived(count, size, seconds)
        self._large = size >= count * LARGE_BYTES

    def _deliver(self, reply: list[Any]) -> None:
        large = self._large
        for stream, items in reply:
            if stream == self._keys.stream.encode():
                entries = [Entry(id_, fields) for id_, fields in items]
                self._holding.main.update(zip([id_ for id_, _ in items], entries, strict=True))
            else:
                entries = [Entry.replayed(id_, fields) for id_, fields in items]
                self._holding.add(entries)
            if large:
                self._holding.weigh(entries)
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
