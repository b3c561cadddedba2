"""Whatever happened to a stream: its backlog is never 0 while work exists, exact means exact."""

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import park, pending, read
from tests.support.redis_servers import ALL_KINDS, RedisServer, running

from headrace.streams.backlog import GroupBacklog, Quality
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.claim import take_due
from headrace.streams.connect import connect
from headrace.streams.entries import Source
from headrace.streams.groups import ensure_groups
from headrace.streams.ids import StreamId, parse_id
from headrace.streams.keys import PARKED, GroupKeys, StreamKeys

SEEDS = 24
STEPS = 40
DAY = 86_400_000


@pytest.fixture(scope="module", params=list(ALL_KINDS))
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """The oldest and the newest of each family."""
    with running(request.param) as server:
        yield server


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    async with connect(server.target, role="control") as client:
        yield client


class Truth:
    """Counted entry by entry; `waiting`: pending, but parked for a later time."""

    def __init__(
        self,
        unread: list[StreamId],
        held: list[StreamId],
        waiting: int,
        now_ms: int,
        *,
        ahead: bool,
    ) -> None:
        self.unread, self.held, self.waiting = len(unread), len(held), waiting
        self.ahead = ahead
        oldest = min([*unread, *held], default=None)
        self.age = None if oldest is None else (now_ms - oldest[0]) / 1000

    def check(self, found: GroupBacklog, story: str) -> None:
        assert found.pending == self.held, story
        assert (found.oldest_age_s is None) == (self.age is None), story
        if self.age is not None and found.oldest_age_s is not None:
            assert self.age <= found.oldest_age_s < self.age + 2, story
        assert (found.lag is None) == self.ahead, story
        if found.lag is None:
            assert found.quality is Quality.UNKNOWN, story
            return
        assert found.ready is not None, story
        assert found.ready >= self.unread + self.held - self.waiting, story
        assert found.lag >= self.unread, story
        if found.quality is Quality.EXACT:
            assert found.lag == self.unread, story


class Model:
    """Random acts on a real stream and its replay stream, by their ids an hour ago."""

    def __init__(self, client: Redis, keys: GroupKeys, seed: int, now_ms: int) -> None:
        self.client, self.keys, self.rng = client, keys, random.Random(seed)
        self.begun = self.clock = now_ms - 3_600_000

    async def act(self) -> str:
        acts: list[Any] = [self.add, self.add, self.add, self.read, self.read, self.ack]
        acts += [self.delete, self.delete_unread, self.trim, self.trim_min_id, self.set_id]
        acts += [
            self.claim,
            self.park,
            self.park,
            self.due,
            self.recreate,
            self.replay,
            self.read_replay,
        ]
        acts += [self.ack_replay]
        act = self.rng.choice(acts)
        await act()
        return str(act.__name__)

    async def add(self) -> None:
        for _ in range(self.rng.randrange(1, 6)):
            self.clock += self.rng.randrange(1, 3)
            await self.client.xadd(self.keys.stream, {"n": 1}, f"{self.clock}-0")

    async def read(self) -> None:
        await read(self.client, self.keys, "w1", self.rng.randrange(1, 5))

    async def ack(self) -> None:
        """Also of parked entries, whose due times stay behind."""
        if ids := await self._some_pending():
            await self.client.xack(self.keys.stream, self.keys.group, *ids)

    async def delete(self) -> None:
        if entries := await self.client.xrange(self.keys.stream):
            await self.client.xdel(self.keys.stream, self.rng.choice(entries)[0])

    async def delete_unread(self) -> None:
        delivered = await self._delivered()
        ids = [i for i, _ in await self.client.xrange(self.keys.stream) if parse_id(i) > delivered]
        if ids:
            await self.client.xdel(self.keys.stream, self.rng.choice(ids))

    async def trim(self) -> None:
        length = self.rng.randrange(0, 8)
        await self.client.xtrim(self.keys.stream, maxlen=length, approximate=False)

    async def trim_min_id(self) -> None:
        await self.client.xtrim(self.keys.stream, minid=self._some_id(), approximate=False)

    async def set_id(self) -> None:
        if self.rng.random() < 0.5:
            where = self.rng.choice(["0", "$", self._some_id()])
            await self.client.xgroup_setid(self.keys.stream, self.keys.group, where)

    async def recreate(self) -> None:
        if self.rng.random() < 0.3:
            beyond = f"{self.clock + 3}-0"
            where = self.rng.choice(["0", "$", self._some_id(), self._some_id(), beyond])
            await self.client.xgroup_destroy(self.keys.stream, self.keys.group)
            await self.client.xgroup_create(self.keys.stream, self.keys.group, where)

    async def claim(self) -> None:
        if ids := await self._some_pending():
            await self.client.xclaim(self.keys.stream, self.keys.group, "w2", 0, ids)

    async def park(self) -> None:
        held = await pending(self.client, self.keys)
        ids = [entry for entry, (owner, _) in held.items() if owner != PARKED][:2]
        await park(self.client, self.keys, ids, self.rng.choice([0, DAY]))

    async def due(self) -> None:
        await take_due(self.client, self.keys, "w1", count=2)

    async def replay(self) -> None:
        await self.client.xadd(self.keys.replay, {"n": 1})

    async def read_replay(self) -> None:
        await read(self.client, self.keys, "w1", self.rng.randrange(1, 3), Source.REPLAY)

    async def ack_replay(self) -> None:
        for entry in list(await pending(self.client, self.keys, Source.REPLAY))[:2]:
            await self.client.xack(self.keys.replay, self.keys.group, entry)
            await self.client.xdel(self.keys.replay, entry)

    def _some_id(self) -> str:
        return f"{self.rng.randrange(self.begun, self.clock + 1)}-0"

    async def _some_pending(self) -> list[bytes]:
        return [i for i in await pending(self.client, self.keys) if self.rng.random() < 0.5]

    async def _delivered(self, source: Source = Source.MAIN) -> StreamId:
        stream = self.keys.stream if source is Source.MAIN else self.keys.replay
        (info,) = await self.client.xinfo_groups(stream)
        return parse_id(info["last-delivered-id"])

    async def truth(self) -> Truth:
        unread: list[StreamId] = []
        held: list[StreamId] = []
        owners: dict[bytes, str] = {}
        for source, stream in ((Source.MAIN, self.keys.stream), (Source.REPLAY, self.keys.replay)):
            delivered = await self._delivered(source)
            ids = [parse_id(entry) for entry, _ in await self.client.xrange(stream)]
            unread += [entry for entry in ids if entry > delivered]
            rows = await pending(self.client, self.keys, source)
            held += [parse_id(entry) for entry in rows]
            if source is Source.MAIN:
                owners = {entry: owner for entry, (owner, _) in rows.items()}
        info = await self.client.xinfo_stream(self.keys.stream)
        ahead = await self._delivered() > parse_id(info["last-generated-id"])
        seconds, micros = await self.client.time()
        now_ms = seconds * 1000 + micros // 1000
        later = await self.client.zrangebyscore(self.keys.retry, f"({now_ms}", "+inf")
        waiting = sum(owners.get(member[2:]) == PARKED for member in later)
        return Truth(unread, held, waiting, now_ms, ahead=ahead)


@pytest.mark.timeout(120)
async def test_no_sequence_of_acts_makes_the_estimate_wrong(client: Redis) -> None:
    stream = StreamKeys("flights")
    keys = stream.for_group("delays")
    seen = set()
    for seed in range(SEEDS):
        await client.flushall()
        await ensure_groups(client, keys)
        seconds, _ = await client.time()
        model, history = Model(client, keys, seed, seconds * 1000), []
        for _ in range(STEPS):
            history.append(await model.act())
            truth = await model.truth()
            for most_counted in (1_000, 0):
                (answer,) = await read_backlogs(
                    client, [(stream, ["delays"])], most_counted=most_counted
                )
                found = answer.groups["delays"]
                truth.check(found, f"seed {seed}: {history} -> {found}; {vars(truth)}")
                seen.add(found.source)
    assert len(seen) >= 4, f"these acts try only some of the estimator's rules: {seen}"
