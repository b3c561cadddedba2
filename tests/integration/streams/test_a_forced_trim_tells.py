"""Force takes what its own groups and unclaimed ones need, counts it by group, spares others."""

import random
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, read

from headrace.streams.groups import ensure_groups
from headrace.streams.ids import parse_id
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.trim import Destroyed, Policy, Why, trim


async def test_unread_and_pending_entries_are_counted_apart(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 350)
    ids = await read(client, keys, "w1", 200)
    await client.xack(keys.stream, keys.group, *ids[:50], *ids[60:150])
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_length=20)
    assert (result.removed, result.length, result.why) == (330, 20, Why.LIMITS_MET)
    assert result.destroyed == (Destroyed("delays", unread=130, pending=60),)


async def test_what_nobody_needs_is_no_destruction(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 350)
    ids = await read(client, keys, "w1", 340)
    await client.xack(keys.stream, keys.group, *ids)
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_length=20)
    assert (result.removed, result.destroyed) == (330, ())


async def test_entries_that_were_deleted_before_are_not_counted(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 300)
    ids = await read(client, keys, "w1", 150)
    await client.xdel(keys.stream, *ids[10:40], "200-0", "201-0")
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_length=0)
    assert result.destroyed == (Destroyed("delays", unread=148, pending=120),)


async def test_a_group_ahead_of_its_stream_loses_what_it_never_read(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 10)
    await client.xgroup_setid(keys.stream, keys.group, "1700000000000-0")
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_length=3)
    assert result.destroyed == (Destroyed("delays", unread=7, pending=0),)


@pytest.mark.parametrize("size", [10, 300_000])
async def test_by_age_and_of_large_entries(client: Redis, keys: GroupKeys, size: int) -> None:
    await ensure_groups(client, keys)
    now_ms = int((await client.time())[0]) * 1000
    for n in range(30):
        await client.xadd(keys.stream, {"n": b"x" * size}, f"{now_ms - 3_600_000 + n}-0")
    await client.xadd(keys.stream, {"n": "young"}, f"{now_ms}-0")
    ids = await read(client, keys, "w1", 20)
    await client.xack(keys.stream, keys.group, *ids[:12])
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_age_ms=60_000)
    assert (result.removed, result.length, result.why) == (30, 1, Why.LIMITS_MET)
    assert result.destroyed == (Destroyed("delays", unread=10, pending=8),)


async def test_a_group_that_another_pipeline_has_claimed_is_waited_for(
    client: Redis, stream: StreamKeys
) -> None:
    ours, others = stream.for_group("delays"), stream.for_group("audit")
    await ensure_groups(client, ours, owner="airport/flights/1")
    await ensure_groups(client, others, owner="harbour/ships/2")
    await fill(client, ours, 350)
    await client.xgroup_create(stream.stream, "unclaimed", "0")
    ids = await read(client, others, "w1", 100)
    await client.xack(stream.stream, "audit", *ids)
    result = await trim(client, stream.stream, ["delays"], policy=Policy.FORCE, max_length=20)
    assert (result.why, result.held_back_by, result.length) == (Why.FLOOR, "audit", 251)
    assert set(result.destroyed) == {Destroyed("delays", 99, 0), Destroyed("unclaimed", 99, 0)}
    left = await read(client, others, "w1", 350)
    assert len(left) == 250, "not one of theirs is gone"
    await client.xack(stream.stream, "audit", *left)
    assert (
        await trim(client, stream.stream, ["delays"], policy=Policy.FORCE, max_length=20)
    ).length == 20


async def test_an_ignored_group_holds_nothing_back_and_is_not_told(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 50)
    result = await trim(
        client, keys.stream, [], policy=Policy.FORCE, max_length=5, ignore_groups=["delays"]
    )
    assert (result.removed, result.destroyed) == (45, ())


@pytest.mark.parametrize("seed", range(15))
async def test_the_counts_are_those_of_a_plain_look(client: Redis, seed: int) -> None:
    rng = random.Random(seed)
    stream, groups = "s", ["a", "b", "c"]
    pipeline = client.pipeline(transaction=False)
    for n in range(rng.choice([30, 250, 900])):
        pipeline.xadd(stream, {"n": b"x" * rng.choice([1, 1, 1, 9_000])}, f"{n + 1}-0")
    added = await pipeline.execute()
    for group in groups:
        await client.xgroup_create(stream, group, "0")
        for _ in range(rng.randrange(3)):
            await client.xreadgroup(group, "w", {stream: ">"}, count=rng.randrange(1, 300))
        rows = await client.xpending_range(stream, group, "-", "+", 1_000)
        done = [row["message_id"] for row in rows if rng.random() < rng.choice([0.5, 0.99, 1.0])]
        if done:
            await client.xack(stream, group, *done)
    await client.xdel(stream, *rng.sample(added, len(added) // 8))
    wanted = await _needed(client, stream, groups)
    result = await trim(
        client, stream, ["a"], policy=Policy.FORCE, max_length=rng.randrange(len(added))
    )
    left = {entry for entry, _ in await client.xrange(stream)}
    told = {one.group: (one.unread, one.pending) for one in result.destroyed}
    for group, (unread, pending) in wanted.items():
        lost = (len(unread - left), len(pending - left))
        assert told.get(group, (0, 0)) == lost, group


async def _needed(
    client: Redis, stream: str, groups: list[str]
) -> dict[str, tuple[set[Any], set[Any]]]:
    """What each group has not read, and holds, of what is there."""
    there = {entry for entry, _ in await client.xrange(stream)}
    found: dict[str, tuple[set[Any], set[Any]]] = {}
    for row in await client.xinfo_groups(stream):
        name, delivered = row["name"].decode(), parse_id(row["last-delivered-id"])
        pending = await client.xpending_range(stream, name, "-", "+", 10_000)
        unread = {entry for entry in there if parse_id(entry) > delivered}
        found[name] = (unread, {one["message_id"] for one in pending} & there)
    return found
