"""Groups are created and recreated by one function, and nothing is skipped by it."""

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, groups_of, pending, read

from headrace.streams.groups import (
    Deposed,
    Holder,
    Leader,
    NotAStream,
    OwnedByAnother,
    destroy_group,
    ensure_groups,
    holder_of,
    release,
)
from headrace.streams.keys import GroupKeys, StreamKeys


async def test_both_groups_are_created_with_their_streams(client: Redis, keys: GroupKeys) -> None:
    state = await ensure_groups(client, keys)
    assert state.created
    assert not state.recreated
    assert set(await groups_of(client, keys.stream)) == {"delays"}
    assert set(await groups_of(client, keys.replay)) == {"delays"}


async def test_a_first_deploy_reads_what_is_queued(client: Redis, keys: GroupKeys) -> None:
    for n in range(1, 4):
        await client.xadd(keys.stream, {"n": n}, f"{n}-0")
    await ensure_groups(client, keys)
    assert await read(client, keys, "w1", 10) == [b"1-0", b"2-0", b"3-0"]


async def test_a_second_call_changes_nothing(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys, "$")
    await client.xadd(keys.stream, {"n": 1}, "1-0")
    state = await ensure_groups(client, keys, "0")
    assert not state.created
    assert await read(client, keys, "w1", 10) == [b"1-0"]


async def test_a_lost_group_restarts_at_its_checkpoint_not_at_the_last_known_id(
    client: Redis, keys: GroupKeys
) -> None:
    for n in range(1, 10):
        await client.xadd(keys.stream, {"n": n}, f"{n}-0")
    await ensure_groups(client, keys)
    await read(client, keys, "w1", 9)
    await client.hset(keys.state, "checkpoint", "5-0")
    await client.xgroup_destroy(keys.stream, keys.group)
    state = await ensure_groups(client, keys, "$")
    assert state.recreated
    assert state.last_delivered_id == "5-0"
    assert (await read(client, keys, "w2", 10))[0] == b"6-0"


async def test_a_group_that_started_at_the_end_is_recreated_where_it_first_stood(
    client: Redis, keys: GroupKeys
) -> None:
    await client.xadd(keys.stream, {"n": 1}, "1-0")
    await ensure_groups(client, keys, "$")
    await client.xadd(keys.stream, {"n": 2}, "2-0")
    await client.xgroup_destroy(keys.stream, keys.group)
    await ensure_groups(client, keys, "$")
    assert await read(client, keys, "w1", 10) == [b"2-0"]


async def test_after_flushall_the_mirrored_checkpoint_decides(
    client: Redis, keys: GroupKeys
) -> None:
    await client.xadd(keys.stream, {"n": 7}, "7-0")
    await client.xadd(keys.stream, {"n": 8}, "8-0")
    state = await ensure_groups(client, keys, "$", checkpoint="7-0")
    assert state.recreated
    assert await read(client, keys, "w1", 10) == [b"7-0", b"8-0"]


async def test_a_checkpoint_above_the_stream_means_start_at_zero(
    client: Redis, keys: GroupKeys
) -> None:
    await client.xadd(keys.stream, {"n": 5}, "5-0")
    await client.hset(keys.state, "checkpoint", "1700000000000-0")
    state = await ensure_groups(client, keys)
    assert state.restarted_at_zero
    assert await read(client, keys, "w1", 10) == [b"5-0"]


async def test_a_group_ahead_of_its_stream_is_set_back_to_its_checkpoint(
    client: Redis, keys: GroupKeys
) -> None:
    await fill(client, keys, 5)
    await ensure_groups(client, keys)
    await client.hset(keys.state, "checkpoint", "2-0")
    await read(client, keys, "w1", 3)
    await client.xgroup_setid(keys.stream, keys.group, "1700000000000-0")
    state = await ensure_groups(client, keys)
    assert (state.stood_ahead_at, state.last_delivered_id) == ("1700000000000-0", "2-0")
    assert not state.ahead_of_stream
    assert await read(client, keys, "w2", 10) == [b"3-0", b"4-0", b"5-0"]


async def test_a_group_whose_checkpoint_is_ahead_too_is_set_back_to_zero(
    client: Redis, keys: GroupKeys
) -> None:
    await fill(client, keys, 2)
    await client.xgroup_create(keys.stream, keys.group, "1700000000000-0")
    await client.hset(keys.state, "checkpoint", "1700000000000-0")
    state = await ensure_groups(client, keys, "$")
    assert state.restarted_at_zero
    assert await read(client, keys, "w1", 10) == [b"1-0", b"2-0"]


@pytest.mark.parametrize("start", ["9", "9-0", "0009", "0009-00"])
async def test_a_group_that_its_manifest_starts_ahead_of_the_stream_stays_there(
    client: Redis, keys: GroupKeys, start: str
) -> None:
    await fill(client, keys, 5)
    for _ in range(2):
        state = await ensure_groups(client, keys, start)
        assert state.ahead_of_stream
        assert state.stood_ahead_at is None
    await fill(client, keys, 1, first=10)
    assert await read(client, keys, "w1", 10) == [b"10-0"]


async def test_an_older_stream_restored_with_its_group_goes_on_where_that_group_stood(
    client: Redis, keys: GroupKeys
) -> None:
    await fill(client, keys, 4)
    await ensure_groups(client, keys)
    first = await read(client, keys, "w1", 2)
    backup = await client.dump(keys.stream)
    await client.xack(keys.stream, keys.group, *first)
    await read(client, keys, "w1", 2)
    await client.hset(keys.state, "checkpoint", "4-0")
    await client.restore(keys.stream, 0, backup, replace=True)
    await ensure_groups(client, keys, "$")
    assert set(await pending(client, keys)) == {b"1-0", b"2-0"}
    assert await read(client, keys, "w1", 10) == [b"3-0", b"4-0"]


async def test_an_older_stream_restored_without_its_group_is_read_from_zero(
    client: Redis, keys: GroupKeys
) -> None:
    await fill(client, keys, 2)
    backup = await client.dump(keys.stream)
    await ensure_groups(client, keys)
    await fill(client, keys, 2, first=3)
    await client.hset(keys.state, "checkpoint", "4-0")
    await client.restore(keys.stream, 0, backup, replace=True)
    state = await ensure_groups(client, keys, "$")
    assert state.restarted_at_zero
    assert await read(client, keys, "w1", 10) == [b"1-0", b"2-0"]


async def test_a_group_made_by_others_keeps_what_it_had_when_it_vanishes_before_a_commit(
    client: Redis, keys: GroupKeys
) -> None:
    await fill(client, keys, 5)
    await client.xgroup_create(keys.stream, keys.group, "0")
    await client.xack(keys.stream, keys.group, *(await read(client, keys, "old", 3))[:2])
    await ensure_groups(client, keys, "$")
    await client.xgroup_destroy(keys.stream, keys.group)
    await ensure_groups(client, keys, "$")
    assert await read(client, keys, "w1", 10) == [b"3-0", b"4-0", b"5-0"]


async def test_ids_beyond_doubles_are_told_apart(client: Redis, keys: GroupKeys) -> None:
    await client.xadd(keys.stream, {"n": 1}, "9007199254740992-0")
    await client.hset(keys.state, "checkpoint", "9007199254740993-0")
    assert (await ensure_groups(client, keys)).restarted_at_zero


async def test_a_group_has_one_owner_until_it_is_released(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys, owner="airport/flights/uid-1")
    with pytest.raises(OwnedByAnother, match="airport/flights/uid-1"):
        await ensure_groups(client, keys, owner="airport/other/uid-2")
    assert not await release(client, keys, "airport/other/uid-2")
    assert await release(client, keys, "airport/flights/uid-1")
    await ensure_groups(client, keys, owner="airport/other/uid-2")


async def test_a_key_of_another_type_is_named(client: Redis, keys: GroupKeys) -> None:
    await client.set(keys.stream, "x")
    with pytest.raises(NotAStream, match="'flights' holds a string"):
        await ensure_groups(client, keys)


async def test_destroying_a_group_keeps_the_stream_the_other_groups_and_dead_letters(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    other = stream.for_group("audit")
    await ensure_groups(client, keys, owner="a")
    await ensure_groups(client, other, owner="a")
    await client.xadd(keys.stream, {"n": 1})
    await client.xadd(keys.dead_letters, {"n": 1})
    await client.set(keys.seen(b"x"), "m:1-0")
    await client.set(other.seen(b"x"), "m:1-0")
    assert not await destroy_group(client, keys, "b")
    assert await destroy_group(client, keys, "a")
    left = set(await client.keys())
    assert left == {
        keys.seen(b"x"),  # until its window ends
        other.seen(b"x"),
        *(k.encode() for k in (keys.stream, keys.dead_letters, other.replay, other.state)),
    }
    assert set(await groups_of(client, keys.stream)) == {"audit"}


async def test_a_claim_names_its_cluster_and_an_old_one_is_given_its_name(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys, owner="airport/flights/uid-1")
    await ensure_groups(client, keys, owner="airport/flights/uid-1", cluster="north")
    assert await holder_of(client, keys) == Holder("airport/flights/uid-1", "north")
    with pytest.raises(OwnedByAnother) as error:
        await ensure_groups(client, keys, owner="airport/flights/uid-2", cluster="south")
    assert error.value.cluster == "north"
    assert "headrace release flights delays" in str(error.value)
    await ensure_groups(
        client, keys, owner="a/b/uid-2", cluster="south", former_owner="airport/flights/uid-1"
    )
    assert await holder_of(client, keys) == Holder("a/b/uid-2", "south")


async def test_a_deposed_leader_writes_nothing_any_more(client: Redis, keys: GroupKeys) -> None:
    older, newer, elsewhere = Leader("lease", 9), Leader("lease", 10), Leader("another", 1)
    await ensure_groups(client, keys, owner="a/b/uid", leader=older)
    await ensure_groups(client, keys, owner="a/b/uid", leader=newer)
    before = await client.hgetall(keys.state)
    for write in (
        ensure_groups(client, keys, owner="a/b/uid", leader=older),
        release(client, keys, "a/b/uid", leader=older),
        destroy_group(client, keys, "a/b/uid", leader=older),
    ):
        with pytest.raises(Deposed):
            await write
    assert await client.hgetall(keys.state) == before
    # A Lease that was made anew counts from 0 again.
    await ensure_groups(client, keys, owner="a/b/uid", leader=elsewhere)
    assert await destroy_group(client, keys, "a/b/uid", leader=elsewhere)


async def test_marks_of_a_group_that_was_destroyed_mean_nothing_to_the_next_of_its_name(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys, owner="a")
    former = keys.seen(b"x")
    await ensure_groups(client, keys, owner="a")
    assert keys.seen(b"x") == former, "looking again changes nothing"
    await client.xgroup_destroy(keys.stream, keys.group)
    await ensure_groups(client, keys, owner="a")
    assert keys.seen(b"x") == former, "nor does a group that was lost"
    assert await destroy_group(client, keys, "a")
    await ensure_groups(client, keys, owner="a")
    assert keys.seen(b"x") != former


async def test_a_group_from_before_lives_had_names_keeps_its_marks(
    client: Redis, keys: GroupKeys
) -> None:
    former = keys.seen(b"x")
    await ensure_groups(client, keys, owner="a")
    await client.hdel(keys.state, "life")
    await ensure_groups(client, keys, owner="a")
    assert keys.seen(b"x") == former


async def test_destroying_a_group_searches_no_keyspace(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys, owner="a")
    for start in range(0, 200_000, 20_000):
        await client.mset({f"other:{n}": "x" for n in range(start, start + 20_000)})
    await client.config_resetstat()
    assert await destroy_group(client, keys, "a")
    calls = await client.info("commandstats")
    assert "cmdstat_scan" not in calls
    assert sum(one["calls"] for one in calls.values()) < 30
    assert await client.dbsize() == 200_000 + 1
