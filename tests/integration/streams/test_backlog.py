"""What a backlog is made of, where each number comes from, and what reading it costs."""

from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, park, read
from tests.support.redis_servers import RedisServer

from headrace.streams.backlog import GroupBacklog, Quality, StreamBacklog
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.connect import connect
from headrace.streams.credentials import StaticCredentials
from headrace.streams.entries import Source
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import GroupKeys, StreamKeys


async def backlog(client: Redis, stream: StreamKeys) -> StreamBacklog:
    (answer,) = await read_backlogs(client, [(stream, ["delays"])])
    return answer


async def of_group(client: Redis, stream: StreamKeys) -> GroupBacklog:
    return (await backlog(client, stream)).groups["delays"]


async def test_a_stream_that_is_not_there_has_an_unknown_backlog(
    client: Redis, stream: StreamKeys
) -> None:
    answer = await backlog(client, stream)
    assert not answer.exists
    assert answer.groups["delays"].ready is None
    assert answer.groups["delays"].quality is Quality.UNKNOWN


async def test_a_missing_group_is_unknown_not_zero(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await fill(client, keys, 3)
    found = await of_group(client, stream)
    assert (found.exists, found.ready) == (False, None)


async def test_unread_and_pending_entries_are_counted(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 10)
    await read(client, keys, "w1", 4)
    answer = await backlog(client, stream)
    found = answer.groups["delays"]
    assert (found.lag, found.pending, found.ready) == (6, 4, 10)
    assert (answer.length, answer.entries_added) == (10, 10)
    assert (answer.first_id, answer.last_id) == ("1-0", "10-0")
    assert (found.floor_id, found.last_delivered_id) == ("1-0", "4-0")
    assert found.oldest_age_s is None


async def test_the_age_of_the_oldest_unhandled_entry_is_told(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    seconds, _ = await client.time()
    await client.xadd(keys.stream, {"n": 1}, f"{(seconds - 60) * 1000}-0")
    found = await of_group(client, stream)
    assert found.oldest_age_s is not None
    assert 60 <= found.oldest_age_s < 65
    await read(client, keys, "w1", 1)
    found = await of_group(client, stream)
    assert found.oldest_age_s is not None
    assert 60 <= found.oldest_age_s < 65


async def test_a_group_ahead_of_its_stream_is_unknown_not_zero(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await fill(client, keys, 2)
    await client.xgroup_create(keys.stream, keys.group, "1700000000000-0")
    found = await of_group(client, stream)
    assert found.ahead_of_stream
    assert (found.lag, found.quality) == (None, Quality.UNKNOWN)


async def test_a_lag_the_server_does_not_know_is_counted_up_to_a_cap(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await fill(client, keys, 3000)
    await client.xgroup_create(keys.stream, keys.group, "2500-0")
    found = await of_group(client, stream)
    assert (found.lag, found.quality) == (500, Quality.EXACT)
    await client.xgroup_setid(keys.stream, keys.group, "1500-0")
    found = await of_group(client, stream)
    assert found.quality is Quality.UPPER
    assert found.lag is not None
    assert found.lag >= 1500


async def test_large_bodies_are_not_counted_for_long(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    pipeline = client.pipeline(transaction=False)
    for n in range(1, 301):
        pipeline.xadd(keys.stream, {"payload": b"x" * 100_000}, f"{n}-0")
    await pipeline.execute()
    await client.xgroup_create(keys.stream, keys.group, "10-0")
    found = await of_group(client, stream)
    assert (found.lag, found.quality) == (300, Quality.UPPER)


async def test_parked_entries_not_yet_due_are_no_ready_work(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 4)
    ids = await read(client, keys, "w1", 4)
    await park(client, keys, ids[:2], 86_400_000)
    await park(client, keys, ids[2:3], 0)
    found = await of_group(client, stream)
    assert (found.pending, found.parked, found.due_now, found.ready) == (4, 3, 1, 2)
    assert found.next_due_ms is not None
    assert 86_000_000 < found.next_due_ms <= 86_400_000


async def test_stale_due_times_never_hide_ready_work(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 2)
    ids = await read(client, keys, "w1", 2)
    await park(client, keys, ids[:1], 86_400_000)
    await park(client, keys, ids[1:], 0)
    await client.xack(keys.stream, keys.group, ids[0])
    found = await of_group(client, stream)
    assert found.ready is not None
    assert found.ready >= 1


async def test_the_replay_stream_is_part_of_the_backlog(
    client: Redis, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    for n in range(5):
        await client.xadd(keys.replay, {"n": n})
    await read(client, keys, "w1", 2, Source.REPLAY)
    found = await of_group(client, stream)
    assert (found.lag, found.pending, found.quality) == (3, 2, Quality.EXACT)


async def test_one_unreadable_stream_harms_no_other(client: Redis, keys: GroupKeys) -> None:
    await client.set("wrong", "x")
    await ensure_groups(client, keys)
    queries = [(StreamKeys(name), ["delays"]) for name in ("wrong", "flights", "none")]
    wrong, flights, none = await read_backlogs(client, queries)
    assert wrong.error is not None
    assert "WRONGTYPE" in wrong.error
    assert flights.groups["delays"].ready == 0
    assert none.error is None


async def test_a_user_without_rights_gets_a_sentence_not_a_zero(
    client: Redis, redis_server: RedisServer, stream: StreamKeys, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await client.acl_setuser(
        "poller", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["other"]
    )
    try:
        who = StaticCredentials("poller", "secret")
        async with connect(redis_server.target, who, role="admin") as limited:
            answers = await read_backlogs(limited, [(stream, ["delays"])] * 3)
            assert all(answer.error and not answer.groups for answer in answers)
    finally:
        await client.acl_deluser("poller")


async def test_many_streams_are_read_after_the_server_forgot_the_script(client: Redis) -> None:
    streams = [StreamKeys(f"s{n}") for n in range(250)]
    for stream in streams:
        await client.xadd(stream.stream, {"n": 1})
        await client.xgroup_create(stream.stream, "g", "0")
    await client.script_flush()
    answers = await read_backlogs(client, [(stream, ["g"]) for stream in streams])
    assert [answer.stream for answer in answers] == [stream.stream for stream in streams]
    assert {answer.groups["g"].ready for answer in answers} == {1}


async def test_reading_a_backlog_needs_no_write(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    before = await client.info("commandstats")
    await read_backlogs(client, [(StreamKeys("flights"), ["delays"])])
    after = await client.info("commandstats")
    used = {name for name in after if after[name] != before.get(name)}
    assert not used & {"cmdstat_eval", "cmdstat_evalsha", "cmdstat_xadd", "cmdstat_hset"}
