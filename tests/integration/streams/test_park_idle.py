"""What a silent consumer held is parked, due now, with a crash counted; then anybody takes it."""

from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, park, pending, read

from headrace.streams import claim
from headrace.streams.entries import ClaimedEntry, Source
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import PARKED, GroupKeys

MAIN = Source.MAIN
SILENT_MS = 60_000


async def silence(client: Redis, keys: GroupKeys, consumer: str, ids: list[bytes]) -> None:
    """Age entries as if nobody had renewed them."""
    await client.xclaim(keys.stream, keys.group, consumer, 0, ids, idle=SILENT_MS, justid=True)


async def scan(client: Redis, keys: GroupKeys, consumer: str = "w9", count: int = 100) -> list[int]:
    """Once round, from call to call: how many each parked."""
    parked, cursor = [], b""
    while True:
        found = await claim.park_idle(
            client,
            keys,
            consumer,
            source=MAIN,
            min_idle_ms=SILENT_MS,
            count=count,
            cursor=cursor,
        )
        parked.append(found.parked)
        cursor = found.cursor
        if not cursor:
            return parked


async def taken(client: Redis, keys: GroupKeys, **limits: int) -> list[ClaimedEntry]:
    return (await claim.take_due(client, keys, "w9", **{"count": 100, **limits})).entries


async def test_idle_entries_are_parked_and_each_counts_a_crash(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await silence(client, keys, "w1", held[:2])
    assert await scan(client, keys) == [2]
    assert (await pending(client, keys))[held[0]] == (PARKED, 1)
    entries = await taken(client, keys)
    assert [entry.id for entry in entries] == held[:2]
    assert {(e.delivery_count, e.record.crashes, e.record.killed) for e in entries} == {(2, 1, 0)}


async def test_only_a_crash_while_alone_counts_against_an_entry(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await silence(client, keys, "w1", held[:2])
    await scan(client, keys)
    poison, good = await taken(client, keys)
    assert await claim.mark_solo(client, keys, "w9", poison)
    await silence(client, keys, "w9", held[:2])
    await scan(client, keys, "w10")
    poison, good = await taken(client, keys)
    assert (poison.record.crashes, poison.record.killed, poison.record.solo) == (2, 1, False)
    assert (good.record.crashes, good.record.killed) == (2, 0)


async def test_entries_in_use_and_ones_own_are_left_alone(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await scan(client, keys) == [0]
    await silence(client, keys, "w1", held)
    assert await scan(client, keys, "w1") == [0]


async def test_an_idle_entry_whose_body_was_trimmed_is_cleared_and_reported(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await silence(client, keys, "w1", held[:2])
    await client.xtrim(keys.stream, minid="2-0", approximate=False)
    found = await claim.park_idle(client, keys, "w9", source=MAIN, min_idle_ms=SILENT_MS, count=10)
    assert (found.parked, found.trimmed) == (1, [held[0]])
    assert held[0] not in await pending(client, keys)
    assert [entry.id for entry in await taken(client, keys)] == [held[1]]


async def test_the_scan_goes_on_at_the_next_name_though_a_consumer_ran_empty(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 40)
    for n in range(40):
        await silence(client, keys, f"w-{n:02}", await read(client, keys, f"w-{n:02}", 1))
    first = await claim.park_idle(client, keys, "w9", source=MAIN, min_idle_ms=SILENT_MS, count=7)
    assert (first.parked, first.cursor) == (7, b"w-06")
    await client.xack(keys.stream, keys.group, b"8-0")
    found = await claim.park_idle(
        client, keys, "w9", source=MAIN, min_idle_ms=SILENT_MS, count=7, cursor=b"w-07"
    )
    assert (found.parked, found.cursor) == (7, b"w-14")


async def test_consumers_with_nothing_idle_stop_no_scan(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 101)
    for n in range(100):
        await read(client, keys, f"alive-{n:03}", 1)
    await silence(client, keys, "dead", await read(client, keys, "dead", 1))
    assert sum(await scan(client, keys)) == 1


async def test_a_thousand_parked_entries_are_never_looked_at(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 1_000)
    ids = await read(client, keys, "w1", 1_000)
    await park(client, keys, ids[:990], 3_600_000)
    await silence(client, keys, PARKED, ids[:990])
    await silence(client, keys, "w1", ids[990:])
    assert await scan(client, keys) == [10]


async def test_of_suspects_no_more_than_asked_are_taken_and_they_hide_nobody(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await silence(client, keys, "w1", held[:3])
    await scan(client, keys)
    await claim.hand_back(client, keys, "w1", MAIN, [(held[4], 1)])
    first = await taken(client, keys, suspects=1)
    assert [(entry.id, entry.record.crashes) for entry in first] == [(held[0], 1), (held[4], 0)]
    due = await claim.take_due(client, keys, "w9", count=10, suspects=0)
    assert (due.entries, due.next_due_ms, due.parked) == ([], None, 2)
    assert [entry.id for entry in await taken(client, keys, suspects=2)] == held[1:3]


async def test_what_is_parked_without_a_due_time_becomes_due(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held, 3_600_000)
    assert await claim.adopt_parked(client, keys) == (b"", b"")
    assert await taken(client, keys) == []
    await client.delete(keys.retry)
    assert await claim.adopt_parked(client, keys) == (b"", b"")
    assert [entry.id for entry in await taken(client, keys)] == held


async def test_parked_entries_are_adopted_page_by_page(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 1_200)
    ids = await read(client, keys, "w1", 1_200)
    await client.xclaim(keys.stream, keys.group, PARKED, 0, ids, justid=True)
    cursor, calls = (b"", b""), 0
    while calls == 0 or any(cursor):
        cursor = await claim.adopt_parked(client, keys, cursor)
        calls += 1
    assert (calls, await client.zcard(keys.retry)) == (3, 1_200)


async def test_a_process_takes_over_what_earlier_ones_of_its_pod_held_and_no_others(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 6)
    names = [
        "a-0a1b2c3d",
        "a-b-0a1b2c3d",
        "ab-22222222",
        "a-33333333",
        "a-xyz12345",
        "a-0a1b2c",
    ]
    for name in names:
        await read(client, keys, name, 1)
    found = await claim.take_over(client, keys, "a-33333333", pod="a", source=MAIN, count=10)
    assert found.parked == 1
    (entry,) = await taken(client, keys)
    assert (entry.id, entry.delivery_count, entry.record.crashes) == (b"1-0", 2, 1)


async def test_a_takeover_parks_no_more_than_asked_and_reports_what_was_trimmed(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 7)
    for name in ("a-00000001", "a-00000002"):
        await read(client, keys, name, 3)
    await client.xdel(keys.stream, "1-0")
    calls = [
        await claim.take_over(client, keys, "a-33333333", pod="a", source=MAIN, count=4)
        for _ in range(3)
    ]
    assert [(one.parked, one.trimmed) for one in calls] == [(3, [b"1-0"]), (2, []), (0, [])]
