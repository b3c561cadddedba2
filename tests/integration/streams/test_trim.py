"""Trimming never passes the floor of a group that counts."""

import random

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, read

from headrace.streams.groups import ensure_groups
from headrace.streams.ids import parse_id
from headrace.streams.keys import GroupKeys
from headrace.streams.trim import Policy, Why, trim


@pytest.fixture
async def handled(client: Redis, keys: GroupKeys) -> list[bytes]:
    """350 entries, all delivered and acknowledged."""
    await ensure_groups(client, keys)
    await fill(client, keys, 350)
    ids = await read(client, keys, "w1", 350)
    await client.xack(keys.stream, keys.group, *ids)
    return ids


async def test_handled_entries_beyond_the_length_go_and_no_others(
    client: Redis, keys: GroupKeys, handled: list[bytes]
) -> None:
    result = await trim(client, keys.stream, ["delays"], max_length=20)
    assert (result.removed, result.length, result.why) == (330, 20, Why.LIMITS_MET)
    assert (await client.xrange(keys.stream, count=1))[0][0] == b"331-0"


async def test_unread_entries_stay(client: Redis, keys: GroupKeys, handled: list[bytes]) -> None:
    await fill(client, keys, 50, first=351)
    result = await trim(client, keys.stream, ["delays"], max_length=20)
    assert result.why is Why.FLOOR
    assert result.held_back_by == "delays"
    assert "delays" in result.reason
    assert result.length == 51
    assert result.floor == "350-0"


async def test_pending_entries_stay(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 350)
    ids = await read(client, keys, "w1", 350)
    await client.xack(keys.stream, keys.group, *(i for i in ids if i != b"120-0"))
    result = await trim(client, keys.stream, ["delays"], max_length=20)
    assert (result.floor, result.length, result.why) == ("120-0", 231, Why.FLOOR)


async def test_entries_a_group_was_set_back_to_stay(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 10)
    ids = await read(client, keys, "w1", 10)
    await client.xack(keys.stream, keys.group, *ids[:7])
    await client.xgroup_setid(keys.stream, keys.group, "0")
    result = await trim(client, keys.stream, ["delays"], max_length=1)
    assert (result.removed, result.floor) == (0, "0-0")


async def test_a_group_ahead_of_its_stream_counts_as_having_read_nothing(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 10)
    await client.xgroup_setid(keys.stream, keys.group, "1700000000000-0")
    result = await trim(client, keys.stream, ["delays"], max_length=3)
    assert (result.removed, result.why, result.held_back_by) == (0, Why.FLOOR, "delays")


async def test_the_slowest_group_decides_unless_it_is_ignored(
    client: Redis, keys: GroupKeys, handled: list[bytes]
) -> None:
    await client.xgroup_create(keys.stream, "abandoned", "5-0")
    held = await trim(client, keys.stream, ["delays"], max_length=20)
    assert (held.held_back_by, held.length) == ("abandoned", 346)
    free = await trim(client, keys.stream, ["delays"], max_length=20, ignore_groups=["abandoned"])
    assert (free.why, free.length) == (Why.LIMITS_MET, 20)


async def test_a_missing_group_of_the_spec_stops_all_trimming(
    client: Redis, keys: GroupKeys, handled: list[bytes]
) -> None:
    result = await trim(client, keys.stream, ["delays", "audit"], max_length=20)
    assert (result.removed, result.why, result.held_back_by) == (0, Why.GROUP_MISSING, "audit")


async def test_without_any_group_nothing_is_trimmed(client: Redis, keys: GroupKeys) -> None:
    await fill(client, keys, 10)
    result = await trim(client, keys.stream, [], max_length=1)
    assert (result.removed, result.why) == (0, Why.NO_GROUP)


async def test_force_trims_whatever_is_needed(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 250)
    result = await trim(client, keys.stream, ["delays"], policy=Policy.FORCE, max_length=20)
    assert (result.removed, result.length, result.why) == (230, 20, Why.LIMITS_MET)


async def test_old_entries_go_by_whole_nodes_and_beyond_ten_thousand(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    now_ms = int((await client.time())[0]) * 1000
    pipeline = client.pipeline(transaction=False)
    for n in range(12_000):
        pipeline.xadd(keys.stream, {"n": n}, f"{now_ms - 3_600_000 + n}-0")
    for n in range(10):
        pipeline.xadd(keys.stream, {"n": n}, f"{now_ms + n}-0")
    await pipeline.execute()
    ids = await read(client, keys, "w1", 20_000)
    await client.xack(keys.stream, keys.group, *ids)
    result = await trim(client, keys.stream, ["delays"], max_age_ms=60_000)
    assert result.why is Why.LIMITS_MET
    assert 10 <= result.length < 110


async def test_age_stops_at_the_floor_too(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    now_ms = int((await client.time())[0]) * 1000
    pipeline = client.pipeline(transaction=False)
    for n in range(500):
        pipeline.xadd(keys.stream, {"n": n}, f"{now_ms - 3_600_000 + n}-0")
    await pipeline.execute()
    ids = await read(client, keys, "w1", 300)
    await client.xack(keys.stream, keys.group, *ids)
    result = await trim(client, keys.stream, ["delays"], max_age_ms=60_000)
    assert (result.why, result.held_back_by) == (Why.FLOOR, "delays")
    assert result.length >= 201


async def test_max_age_is_refused_when_ids_are_no_clock(
    client: Redis, keys: GroupKeys, handled: list[bytes]
) -> None:
    result = await trim(client, keys.stream, ["delays"], max_age_ms=60_000, max_length=20)
    assert (result.why, result.length) == (Why.NO_CLOCK, 20)
    assert "maxLength" in result.reason


async def test_no_sequence_of_events_lets_a_trim_pass_a_floor(client: Redis) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        await client.flushall()
        stream, groups = "s", ["a", "b"]
        for group in groups:
            await client.xgroup_create(stream, group, "0", mkstream=True)
        added: list[bytes] = []
        for step in range(60):
            group = rng.choice(groups)
            act = rng.randrange(6)
            if act <= 1:
                pipeline = client.pipeline(transaction=False)
                for n in range(rng.randrange(1, 150)):
                    pipeline.xadd(stream, {"n": n}, f"{step + 1}-{n + 1}")
                added += await pipeline.execute()
            elif act == 2:
                await client.xreadgroup(group, "w", {stream: ">"}, count=rng.randrange(1, 200))
            elif act == 3:
                rows = await client.xpending_range(stream, group, "-", "+", 300)
                ids = [row["message_id"] for row in rows if rng.random() < 0.8]
                if ids:
                    await client.xack(stream, group, *ids)
            elif act == 4 and added and rng.random() < 0.3:
                await client.xgroup_setid(stream, group, rng.choice(added))
            else:
                await _assert_nothing_needed_is_lost(client, stream, groups, rng)


async def _assert_nothing_needed_is_lost(
    client: Redis, stream: str, groups: list[str], rng: random.Random
) -> None:
    before = [entry for entry, _ in await client.xrange(stream)]
    needed: set[bytes] = set()
    for info in await client.xinfo_groups(stream):
        delivered = parse_id(info["last-delivered-id"])
        needed |= {entry for entry in before if parse_id(entry) > delivered}
        rows = await client.xpending_range(stream, info["name"], "-", "+", 100_000)
        needed |= {row["message_id"] for row in rows} & set(before)
    await trim(client, stream, groups, max_length=rng.randrange(0, 200))
    after = {entry for entry, _ in await client.xrange(stream)}
    assert needed <= after
