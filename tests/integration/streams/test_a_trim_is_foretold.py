"""What `headrace trim --dry-run` counts is what the trim then removes, and it names who keeps."""

import random

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, read

from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.trim import trim
from headrace.streams.trim_plan import TrimPlan, plan_trim


async def foretold(client: Redis, stream: StreamKeys, max_length: int) -> TrimPlan:
    names = [row["name"].decode() for row in await client.xinfo_groups(stream.stream)]
    (found,) = await read_backlogs(client, [(stream, names)])
    beyond = max(0, found.length - max_length)
    return await plan_trim(client, stream.stream, found.groups, beyond, lambda count: None)


@pytest.mark.parametrize("seed", range(12))
async def test_it_counts_what_goes(client: Redis, stream: StreamKeys, seed: int) -> None:
    chance = random.Random(seed)
    length = chance.choice([0, 1, 40, 300, 2_500])
    groups = [stream.for_group(f"g{n}") for n in range(chance.randint(1, 3))]
    for keys in groups:
        await ensure_groups(client, keys)
    await fill(client, groups[0], length)
    for keys in groups:
        ids = await read(client, keys, "w1", max(1, chance.randint(0, length)))
        done = [one for one in ids if chance.random() < chance.choice([0.9, 1.0])]
        if done:
            await client.xack(keys.stream, keys.group, *done)
    for entry in chance.sample(range(1, length + 1), length // 10):
        await client.xdel(stream.stream, f"{entry}-0")
    max_length = chance.randint(0, length)
    plan = await foretold(client, stream, max_length)
    before = await client.xlen(stream.stream)
    result = await trim(client, stream.stream, [], max_length=max_length)
    assert plan.removable == result.removed
    kept = max(0, before - max_length) - result.removed
    assert [one.entries for one in plan.keepers[:1]] == ([kept] if kept else [])
    if result.held_back_by:
        assert plan.keepers[0].floor == result.floor


async def test_each_group_is_counted_by_its_own_floor(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 2_400)
    ids = await read(client, keys, "w1", 2_400)
    await client.xack(keys.stream, keys.group, *ids)
    for name, start in (("far", "2390-0"), ("late", "1500-0"), ("unread", "0")):
        await client.xgroup_create(keys.stream, name, start)
    plan = await foretold(client, stream, 400)
    told = [(one.group, one.floor, one.entries) for one in plan.keepers]
    assert told == [("unread", "0-0", 2_000), ("late", "1500-0", 501)]
    assert plan.removable == 0


async def test_a_group_ahead_of_its_stream_keeps_everything(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 10)
    await client.xgroup_setid(keys.stream, keys.group, "1700000000000-0")
    plan = await foretold(client, stream, 3)
    assert (plan.removable, plan.keepers[0].entries) == (0, 7)


async def test_large_entries_are_counted_one_by_one(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    await ensure_groups(client, keys)
    for n in range(1, 21):
        await client.xadd(keys.stream, {"payload": b"x" * 300_000}, f"{n}-0")
    ids = await read(client, keys, "w1", 15)
    await client.xack(keys.stream, keys.group, *ids)
    assert (await foretold(client, stream, 2)).removable == 14
