"""While producers add, groups read, and the trims of two pipelines cut as they like, every group
gets every entry, and holds what it holds."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis
from tests.support.redis_servers import RedisServer

from headrace.streams.connect import connect
from headrace.streams.trim import Policy, Why, trim

STREAM = "flights"
ENTRIES = 4_000
GROUPS = {"delays": "airport/flights/1", "audit": "harbour/ships/2"}
"""By name, the pipeline that reads with it."""


class Race:
    def __init__(self, server: RedisServer, seed: int) -> None:
        self.server, self.random = server, random.Random(seed)
        self.added: set[bytes] = set()
        self.seen: dict[str, set[bytes]] = {group: set() for group in GROUPS}
        self.trims = self.removed = 0

    async def run(self, *racers: Callable[[Redis], Awaitable[None]]) -> None:
        async def one(racer: Callable[[Redis], Awaitable[None]]) -> None:
            async with connect(self.server.target, role="control") as client:
                await racer(client)

        await asyncio.gather(*map(one, racers))

    @property
    def is_over(self) -> bool:
        read = all(len(seen) == ENTRIES for seen in self.seen.values())
        return read and len(self.added) == ENTRIES

    async def produce(self, client: Redis) -> None:
        while len(self.added) < ENTRIES:
            pipeline = client.pipeline(transaction=False)
            for _ in range(min(self.random.randrange(1, 120), ENTRIES - len(self.added))):
                pipeline.xadd(STREAM, {"n": b"x" * self.random.choice([1, 1, 1, 3_000])})
            self.added.update(await pipeline.execute())

    def reader(self, group: str, consumer: str) -> Callable[[Redis], Awaitable[None]]:
        async def read(client: Redis) -> None:
            while len(self.seen[group]) < ENTRIES:
                count = self.random.randrange(1, 200)
                await client.xreadgroup(group, consumer, {STREAM: ">"}, count=count, block=5)
                held = await client.xreadgroup(group, consumer, {STREAM: "0"}, count=400)
                entries = [entry for _, found in held for entry in found]
                assert all(fields for _, fields in entries), "a trim took what was held"
                done = [entry for entry, _ in entries if self.random.random() < 0.9]
                if done:
                    await client.xack(STREAM, group, *done)
                self.seen[group].update(done)

        return read

    def trimmer(
        self, groups: list[str], max_length: int, policy: Policy = Policy.SAFE
    ) -> Callable[[Redis], Awaitable[None]]:
        async def cut(client: Redis) -> None:
            while not self.is_over:
                result = await trim(client, STREAM, groups, policy=policy, max_length=max_length)
                self.trims, self.removed = self.trims + 1, self.removed + result.removed
                assert result.destroyed == ()

        return cut


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_a_group_needs_goes(
    redis_server: RedisServer, client: Redis, seed: int
) -> None:
    for group, owner in GROUPS.items():
        await client.xgroup_create(STREAM, group, "0", mkstream=True)
        await client.hset(f"headrace:{{{STREAM}}}:state:{group}:{STREAM}", "owner", owner)
    race = Race(redis_server, seed)
    async with asyncio.timeout(60):
        await race.run(
            race.produce,
            *(race.reader(group, consumer) for group in GROUPS for consumer in ("w1", "w2")),
            race.trimmer(["delays"], 0),
            race.trimmer(["audit"], 500),
        )
    assert race.trims > 20
    assert race.removed > ENTRIES / 2, "they did race"
    for group in GROUPS:
        assert race.seen[group] == race.added


async def test_two_pipelines_come_to_rest_at_the_shorter_bound(client: Redis) -> None:
    """Neither undoes what the other did, so neither has anything to do again."""
    pipeline = client.pipeline(transaction=False)
    for n in range(2_000):
        pipeline.xadd(STREAM, {"n": n})
    ids = await pipeline.execute()
    for group in GROUPS:
        await client.xgroup_create(STREAM, group, ids[-1])
    short, long = {"max_length": 100}, {"max_length": 1_000}
    results = await asyncio.gather(
        trim(client, STREAM, ["delays"], **long), trim(client, STREAM, ["audit"], **short)
    )
    assert sum(result.removed for result in results) == 1_900
    for group, bound in (("delays", long), ("audit", short)):
        again = await trim(client, STREAM, [group], **bound)
        assert (again.removed, again.length, again.why) == (0, 100, Why.LIMITS_MET)
