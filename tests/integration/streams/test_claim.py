"""Entries change hands by rule: due, idle in a Custom group, hand-back."""

from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import fill, pending, read

from headrace.streams import claim, consumers
from headrace.streams.commit import Committer
from headrace.streams.entries import NO_RECORD, ClaimedEntry, Record, Source
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import PARKED, GroupKeys
from headrace.streams.settlement import Park, Settlement, VerdictKind

MAIN, REPLAY = Source.MAIN, Source.REPLAY


async def park(
    client: Redis, keys: GroupKeys, ids: list[bytes], delay_ms: int = 0, source: Source = MAIN
) -> None:
    settlements = [Settlement(source, entry, 1, Park(delay_ms, "boom")) for entry in ids]
    assert (
        await Committer(keys, "w1", dead_letter_max_length=9).commit(client, [], settlements) == {}
    )


async def idle(client: Redis, keys: GroupKeys, ids: list[bytes], ms: int, owner: str) -> None:
    """Age entries as if nobody had renewed them."""
    await client.xclaim(keys.stream, keys.group, owner, 0, ids, idle=ms, justid=True)


async def claim_all_idle(
    client: Redis, keys: GroupKeys, consumer: str = "w9", min_idle_ms: int = 60_000, count: int = 50
) -> list[ClaimedEntry]:
    """Scan once round, from call to call."""
    entries: list[ClaimedEntry] = []
    cursor = b""
    while True:
        claimed = await claim.claim_idle(
            client,
            keys,
            consumer,
            source=MAIN,
            min_idle_ms=min_idle_ms,
            count=count,
            cursor=cursor,
        )
        entries += claimed.entries
        cursor = claimed.cursor
        if not cursor:
            return entries


async def test_a_due_entry_is_taken_with_its_body_count_and_record(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held[:1])
    taken = await claim.take_due(client, keys, "w2", count=10)
    (entry,) = taken.entries
    assert (entry.id, entry.source, entry.delivery_count) == (held[0], MAIN, 2)
    assert entry.fields == [b"type", b"t", b"n", b"1"]
    assert (entry.record.failures, entry.record.error) == (1, b"boom")
    assert (await pending(client, keys))[held[0]] == ("w2", 2)
    assert await client.zcard(keys.retry) == 0


async def test_an_entry_that_is_not_due_waits_and_its_time_is_told(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held[:1], 5_000)
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert taken.entries == []
    assert taken.next_due_ms is not None
    assert 3_000 < taken.next_due_ms <= 5_000
    assert taken.parked == 1


async def test_no_more_than_asked_are_taken_and_the_rest_is_due_now(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held)
    taken = await claim.take_due(client, keys, "w2", count=2)
    assert (len(taken.entries), taken.next_due_ms) == (2, 0)


async def test_no_more_bytes_than_asked_are_taken_and_the_rest_was_never_delivered(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    for n in range(1, 41):
        await client.xadd(keys.stream, {"payload": 100_000 * b"x"}, f"{n}-0")
    held = await read(client, keys, "w1", 40)
    await park(client, keys, held)
    taken = await claim.take_due(client, keys, "w2", count=40, most_bytes=250_000)
    assert (len(taken.entries), taken.next_due_ms) == (3, 0)
    after = Counter((await pending(client, keys)).values())
    assert after == {("w2", 2): 3, (PARKED, 1): 37}
    assert (await claim.take_due(client, keys, "w2", count=1, most_bytes=-1)).entries
    rest = await claim.take_due(client, keys, "w2", count=40)
    assert len(rest.entries) == 36


async def test_due_entries_of_both_streams_are_taken(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    replayed = await client.xadd(keys.replay, {"n": 1}, held[0])
    await read(client, keys, "w1", 1, REPLAY)
    worker = Committer(keys, "w1", dead_letter_max_length=9)
    settlements = [Settlement(source, replayed, 1, Park(0)) for source in Source]
    await worker.commit(client, [], settlements)
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert {(entry.source, entry.id) for entry in taken.entries} == {
        (MAIN, held[0]),
        (REPLAY, held[0]),
    }


async def test_a_due_time_without_a_pending_entry_is_removed_and_starves_nobody(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held[:2])
    await client.xack(keys.stream, keys.group, held[0])
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert [entry.id for entry in taken.entries] == [held[1]]
    assert await client.exists(keys.retry) == 0
    assert await client.hkeys(keys.failures) == [MAIN.member(held[1])]


async def test_a_due_entry_that_another_consumer_owns_is_left_to_it(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held[:1])
    await client.xclaim(keys.stream, keys.group, "foreign", 0, [held[0]])
    assert (await claim.take_due(client, keys, "w2", count=10)).entries == []
    assert (await pending(client, keys))[held[0]][0] == "foreign"
    assert await client.exists(keys.retry) == 0
    assert await client.hexists(keys.failures, MAIN.member(held[0]))


async def test_a_parked_entry_whose_body_was_trimmed_is_reported_and_cleared(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held[:1])
    await client.xtrim(keys.stream, minid="2-0", approximate=False)
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert (taken.entries, taken.trimmed) == ([], [(MAIN, held[0])])
    assert held[0] not in await pending(client, keys)
    assert await client.exists(keys.retry, keys.failures) == 0


async def test_a_body_that_is_trimmed_before_it_is_read_is_reported_and_cleared(
    client: Redis, keys: GroupKeys, held: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    await park(client, keys, held[:2])
    take_due = claim._TAKE_DUE.run

    async def take_due_and_trim(*arguments: Any) -> Any:
        reply = await take_due(*arguments)
        await client.xtrim(keys.stream, minid="2-0", approximate=False)
        return reply

    monkeypatch.setattr(claim._TAKE_DUE, "run", take_due_and_trim)
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert [entry.id for entry in taken.entries] == [held[1]]
    assert taken.trimmed == [(MAIN, held[0])]
    assert await claim.hand_back_unheld(client, keys, "w2", MAIN, [held[1]]) == 0
    assert held[0] not in await pending(client, keys)
    assert not await client.hexists(keys.failures, MAIN.member(held[0]))


async def test_idle_entries_are_claimed_and_each_counts_a_crash(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held[:2], 60_000, "w1")
    entries = await claim_all_idle(client, keys)
    assert [entry.id for entry in entries] == held[:2]
    assert {(e.delivery_count, e.record.crashes, e.record.killed) for e in entries} == {(2, 1, 0)}
    assert {owner for owner, _ in (await pending(client, keys)).values()} == {"w9", "w1"}


async def test_parked_entries_never_hide_crashed_ones_and_are_never_idle_claimed(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 1_000)
    ids = await read(client, keys, "w1", 1_000)
    await park(client, keys, ids[:990], 3_600_000)
    await idle(client, keys, ids[:990], 120_000, PARKED)
    await idle(client, keys, ids[995:], 120_000, "w1")
    entries = await claim_all_idle(client, keys, count=3)
    assert [entry.id for entry in entries] == ids[995:]


async def test_the_scan_goes_on_where_it_stopped_and_comes_round(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 60)
    for consumer in range(20):
        ids = await read(client, keys, f"w 1-{consumer}", 3)
        await idle(client, keys, ids, 60_000, f"w 1-{consumer}")
    first = await claim.claim_idle(client, keys, "w9", source=MAIN, min_idle_ms=60_000, count=7)
    assert len(first.entries) == 7
    assert first.cursor
    rest = await claim_all_idle(client, keys, count=7)
    assert len(rest) == 53


async def test_entries_in_use_are_not_claimed(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await claim_all_idle(client, keys) == []


async def test_a_consumer_does_not_claim_its_own_entries(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held, 120_000, "w1")
    assert await claim_all_idle(client, keys, "w1") == []


async def test_a_pending_entry_whose_body_was_trimmed_is_cleared_and_reported(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held[:2], 60_000, "w1")
    await client.xtrim(keys.stream, minid="2-0", approximate=False)
    claimed = await claim.claim_idle(client, keys, "w9", source=MAIN, min_idle_ms=60_000, count=10)
    assert [entry.id for entry in claimed.entries] == [held[1]]
    assert claimed.trimmed == [(MAIN, held[0])]
    assert held[0] not in await pending(client, keys)


async def test_only_a_crash_while_alone_counts_against_an_entry(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held[:2], 60_000, "w1")
    poison, good = await claim_all_idle(client, keys)
    assert await claim.mark_solo(client, keys, "w9", poison)
    await idle(client, keys, held[:2], 60_000, "w9")
    poison, good = await claim_all_idle(client, keys, "w10")
    assert (poison.record.crashes, poison.record.killed) == (2, 1)
    assert (good.record.crashes, good.record.killed) == (2, 0)
    await idle(client, keys, held[:1], 60_000, "w10")
    (poison,) = await claim_all_idle(client, keys, "w11")
    assert (poison.record.crashes, poison.record.killed, poison.record.solo) == (3, 1, False)


async def test_an_entry_that_was_taken_away_cannot_be_marked(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]], justid=True)
    entry = ClaimedEntry(MAIN, held[0], [], 1, NO_RECORD)
    assert not await claim.mark_solo(client, keys, "w1", entry)
    assert await client.exists(keys.failures) == 0


async def test_a_mark_ends_when_the_entry_is_handed_back(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await claim.mark_solo(client, keys, "w1", ClaimedEntry(MAIN, held[0], [], 1))
    await claim.hand_back(client, keys, "w1", MAIN, [(held[0], 1)])
    await claim.take_due(client, keys, "w2", count=1)
    await idle(client, keys, held[:1], 60_000, "w2")
    (entry,) = await claim_all_idle(client, keys)
    assert (entry.record.crashes, entry.record.killed) == (1, 0)


async def test_renewal_keeps_held_ids_only(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held, 60_000, "w1")
    renewed = await claim.renew(client, keys, "w1", MAIN, held[:3])
    assert (renewed.lost, renewed.trimmed) == ([], [])
    assert [entry.id for entry in await claim_all_idle(client, keys)] == held[3:]
    assert (await pending(client, keys))[held[0]] == ("w1", 1)


async def test_renewal_tells_what_was_lost_and_steals_nothing_back(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]])
    await client.xack(keys.stream, keys.group, held[1])
    renewed = await claim.renew(client, keys, "w1", MAIN, held)
    assert (renewed.lost, renewed.trimmed) == (held[:2], [])
    assert (await pending(client, keys))[held[0]] == ("w2", 2)


async def test_renewal_tells_what_was_trimmed_while_ours(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xtrim(keys.stream, minid="4-0", approximate=False)
    renewed = await claim.renew(client, keys, "w1", MAIN, held)
    assert (renewed.lost, renewed.trimmed) == ([], held[:3])


async def test_renewal_tells_again_what_was_trimmed_until_its_answer_came(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xtrim(keys.stream, minid="3-0", approximate=False)
    first = await claim.renew(client, keys, "w1", MAIN, held)
    await client.xtrim(keys.stream, minid="4-0", approximate=False)
    again = await claim.renew(client, keys, "w1", MAIN, held, answered=False)
    assert first.trimmed == held[:2]
    assert (again.lost, sorted(again.trimmed)) == ([], held[:3])
    third = await claim.renew(client, keys, "w1", MAIN, held[1:], answered=False)
    assert (third.lost, third.trimmed) == ([], held[1:3])
    assert (await claim.renew(client, keys, "w1", MAIN, held)).lost == held[:3]
    assert not await client.hexists(keys.state, "trimmed:w1")


async def test_what_renewal_remembers_goes_with_its_consumer(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xtrim(keys.stream, maxlen=0, approximate=False)
    await claim.renew(client, keys, "w1", MAIN, held)
    assert await client.hexists(keys.state, "trimmed:w1")
    assert await consumers.delete_if_empty(client, keys, "w1")
    assert not await client.hexists(keys.state, "trimmed:w1")


async def test_renewal_drops_the_record_of_what_was_trimmed(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for entry in (held[0], held[4]):
        await client.hset(keys.failures, MAIN.member(entry), "1 0 0 0 5 boom")
    await client.xtrim(keys.stream, minid="4-0", approximate=False)
    await claim.renew(client, keys, "w1", MAIN, held)
    assert await client.hkeys(keys.failures) == [MAIN.member(held[4])]


async def test_renewal_reaches_beyond_a_thousand_entries(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 2_500)
    ids = await read(client, keys, "w1", 2_500)
    assert await claim.renew(client, keys, "w1", MAIN, ids) == claim.Renewed([], [])


async def test_a_handed_back_entry_counts_no_delivery_and_is_due_at_once(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    pairs = [(entry, 1) for entry in held[:2]]
    assert await claim.hand_back(client, keys, "w1", MAIN, pairs) == 2
    assert (await pending(client, keys))[held[0]] == (PARKED, 0)
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert [(entry.id, entry.delivery_count) for entry in taken.entries] == [
        (held[0], 1),
        (held[1], 1),
    ]
    assert taken.entries[0].record == NO_RECORD


async def test_an_entry_handed_back_after_it_was_begun_counts_its_delivery(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await claim.hand_back(client, keys, "w1", MAIN, [(held[0], 1)], begun=True) == 1
    taken = await claim.take_due(client, keys, "w2", count=10)
    assert [(entry.id, entry.delivery_count) for entry in taken.entries] == [(held[0], 2)]
    assert taken.entries[0].record == NO_RECORD


async def test_what_is_not_ours_any_more_is_not_handed_back(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]])
    await client.xclaim(keys.stream, keys.group, "w1", 0, [held[1]])
    assert await claim.hand_back(client, keys, "w1", MAIN, [(i, 1) for i in held[:2]]) == 0


async def test_deliveries_whose_reply_was_lost_are_handed_back(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await claim.hand_back_unheld(client, keys, "w1", MAIN, held[:3]) == 2
    owners = {entry: owner for entry, (owner, _) in (await pending(client, keys)).items()}
    assert owners == dict.fromkeys(held[:3], "w1") | dict.fromkeys(held[3:], PARKED)


async def test_a_delivery_whose_reply_may_still_come_counts(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    given = 0
    while given < 2:
        given += await claim.hand_back_unheld(client, keys, "w1", MAIN, held[:3], min_idle_ms=5)
    taken = await claim.take_due(client, keys, "w1", count=10)
    assert [(entry.id, entry.delivery_count) for entry in taken.entries] == [
        (held[3], 2),
        (held[4], 2),
    ]
    late = await Committer(keys, "w1", dead_letter_max_length=9).commit(client, held[3:])
    assert {verdict.kind for verdict in late.values()} == {VerdictKind.OWNED_BY_ANOTHER}


async def test_fresh_deliveries_are_no_lost_ones(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    given = await claim.hand_back_unheld(client, keys, "w1", MAIN, [], min_idle_ms=60_000)
    assert given == 0


async def test_a_consumer_is_deleted_only_when_both_its_lists_are_empty(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xadd(keys.replay, {"n": 1})
    replayed = await read(client, keys, "w1", 1, REPLAY)
    worker = Committer(keys, "w1", dead_letter_max_length=9)
    await worker.commit(client, held)
    assert not await consumers.delete_if_empty(client, keys, "w1")
    await client.xack(keys.replay, keys.group, *replayed)
    assert await consumers.delete_if_empty(client, keys, "w1")
    assert await client.xinfo_consumers(keys.stream, keys.group) == []
    assert not await client.hexists(keys.state, "flush:w1")


async def test_scheduled_retries_do_not_keep_a_worker_from_leaving(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await park(client, keys, held, 3_600_000)
    assert await consumers.delete_if_empty(client, keys, "w1")
    assert len(await pending(client, keys)) == 5


async def test_only_empty_and_silent_consumers_are_swept(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for name in ("empty", "asking", PARKED):
        await client.xgroup_createconsumer(keys.stream, keys.group, name)
    assert await consumers.delete_dead(client, keys, "asking", min_idle_ms=60_000) == 0
    assert await consumers.delete_dead(client, keys, "asking", min_idle_ms=0) == 1
    names = {row["name"] for row in await client.xinfo_consumers(keys.stream, keys.group)}
    assert names == {b"w1", b"asking", PARKED.encode()}


async def test_thousands_of_consumers_are_swept_in_slices_that_block_nobody(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    pipeline = client.pipeline(transaction=False)
    for n in range(5_000):
        for stream in (keys.stream, keys.replay):
            pipeline.xgroup_createconsumer(stream, keys.group, f"crashed-{n}")
        pipeline.hset(keys.state, f"flush:crashed-{n}", "1 ")
    await pipeline.execute()
    await client.config_set("slowlog-log-slower-than", 0)
    times = []
    for _ in range(5):
        await client.execute_command("SLOWLOG", "RESET")
        assert await consumers.delete_dead(client, keys, "asking", min_idle_ms=0) == 100
        times.append(max(entry["duration"] for entry in await client.slowlog_get(100)))
    await client.config_set("slowlog-log-slower-than", 10_000)
    assert min(times) <= 2_000
    assert len(await client.xinfo_consumers(keys.stream, keys.group)) == 5_001 - 500


async def test_the_sweep_drops_flush_numbers_of_consumers_that_never_came_to_read(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for name in ("w1", "asking", "died-before-its-first-read"):
        await client.hset(keys.state, f"flush:{name}", "1 ")
    await consumers.delete_dead(client, keys, "asking", min_idle_ms=60_000)
    fields = await client.hkeys(keys.state)
    assert {f for f in fields if f.startswith(b"flush:")} == {b"flush:w1", b"flush:asking"}


async def test_a_crash_record_survives_a_retry_and_ends_with_the_entry(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await idle(client, keys, held[:1], 60_000, "w1")
    (entry,) = await claim_all_idle(client, keys)
    await claim.mark_solo(client, keys, "w9", entry)
    worker = Committer(keys, "w9", dead_letter_max_length=9)
    await worker.commit(client, [], [Settlement(MAIN, entry.id, 2, Park(0, "boom"))])
    (again,) = (await claim.take_due(client, keys, "w2", count=1)).entries
    assert again.record.failures == 1
    assert again.record.crashes == 1
    assert not again.record.solo
    assert Record.parse(await client.hget(keys.failures, MAIN.member(entry.id))) == again.record
