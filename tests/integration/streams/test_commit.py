"""The commit settles what is still ours, once, and each entry alone."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from tests.integration.streams.redis_words import fill, pending, read
from tests.support.redis_servers import RedisServer, running

from headrace.streams.commit import Committer
from headrace.streams.connect import connect
from headrace.streams.credentials import StaticCredentials
from headrace.streams.dead_letters import list_letters
from headrace.streams.entries import Record, Source
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import PARKED, GroupKeys, StreamKeys
from headrace.streams.settlement import (
    Ack,
    DeadLetter,
    Mark,
    Outcome,
    Output,
    Park,
    Settlement,
    Verdict,
    VerdictKind,
)
from headrace.worker.settling.commits import RedisCommits
from headrace.worker.settling.outputs import ClusterCommits

FIELDS = (b"type", b"flight.landed", b"version", b"1", b"payload", b'{"n":\x00\xff1}')


def committer(keys: GroupKeys, consumer: str = "w1") -> Committer:
    return Committer(keys, consumer, dead_letter_max_length=1000)


def settle(
    entry_id: bytes,
    outcome: Outcome = Ack(),  # noqa: B008 - frozen
    *,
    count: int = 1,
    outputs: tuple[Output, ...] = (),
    mark: Mark | None = None,
    fenced: bool = True,
) -> Settlement:
    return Settlement(Source.MAIN, entry_id, count, outcome, outputs, mark, fenced)


def dead() -> DeadLetter:
    return DeadLetter(FIELDS, "arr_delay is missing", "ValidationError")


async def test_plain_acks_are_acknowledged(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    assert await committer(keys).commit(client, held[:3]) == {}
    assert set(await pending(client, keys)) == set(held[3:])


async def test_an_ack_of_another_consumers_entry_is_refused(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]])
    refused = await committer(keys).commit(client, held)
    assert refused == {(Source.MAIN, held[0]): Verdict(VerdictKind.OWNED_BY_ANOTHER)}
    assert await pending(client, keys) == {held[0]: ("w2", 2)}


async def test_an_ack_is_refused_also_when_the_count_did_not_move(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]], justid=True)
    refused = await committer(keys).commit(client, [held[0]])
    assert refused == {(Source.MAIN, held[0]): Verdict(VerdictKind.OWNED_BY_ANOTHER)}


async def test_a_stale_run_cannot_settle_a_later_delivery_to_the_same_consumer(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for owner in ("w2", "w1"):
        await client.xclaim(keys.stream, keys.group, owner, 0, [held[0]])
    worker = committer(keys)
    refused = await worker.commit(client, [held[0]])
    assert refused == {(Source.MAIN, held[0]): Verdict(VerdictKind.OWNED_BY_ANOTHER)}
    assert await worker.commit(client, [], [settle(held[0], count=3)]) == {}


async def test_an_entry_that_somebody_settled_is_gone(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xack(keys.stream, keys.group, held[1])
    output = Output("flights:late", (b"a", b"b"))
    refused = await committer(keys).commit(client, [held[0]], [settle(held[1], outputs=(output,))])
    assert refused == {(Source.MAIN, held[1]): Verdict(VerdictKind.GONE)}
    assert await client.exists("flights:late") == 0


async def test_a_repeated_flush_does_nothing_and_answers_the_same(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xack(keys.stream, keys.group, held[3])
    worker = committer(keys)
    output = Output("flights:late", (b"a", b"b"))
    packed = worker.pack(
        [held[0], held[3]],
        [settle(held[1], Park(60_000, "boom")), settle(held[2], outputs=(output,))],
    )
    (call,) = packed
    first = call.read(await client.execute_command(*call.command_with_text()))
    call.answer = None
    assert await worker.send(client, packed) == first
    assert first == {(Source.MAIN, held[3]): Verdict(VerdictKind.GONE)}
    record = Record.parse(await client.hget(keys.failures, Source.MAIN.member(held[1])))
    assert record.failures == 1
    assert await client.xlen("flights:late") == 1


async def test_an_older_flush_cannot_come_after_a_newer_one(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    worker = committer(keys)
    older, newer = worker.pack([held[0]]), worker.pack([held[1]])
    await worker.send(client, newer)
    await worker.send(client, older)
    assert held[0] in await pending(client, keys)


async def test_a_flush_survives_script_flush(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    worker = committer(keys)
    await worker.commit(client, held[:1])
    await client.script_flush()
    assert await worker.commit(client, held[1:]) == {}
    assert await pending(client, keys) == {}


async def test_a_parked_entry_belongs_to_the_reserved_consumer_with_its_count_and_due_time(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    before = await client.time()
    await committer(keys).commit(client, [], [settle(held[0], Park(5_000, "boom"))])
    assert (await pending(client, keys))[held[0]] == (PARKED, 1)
    due = await client.zscore(keys.retry, Source.MAIN.member(held[0]))
    assert due is not None
    assert 5_000 <= due - (before[0] * 1000 + before[1] // 1000) < 7_000
    record = Record.parse(await client.hget(keys.failures, Source.MAIN.member(held[0])))
    assert (record.failures, record.error) == (1, b"boom")
    assert record.first_ms > 0


async def test_parking_without_failure_counts_none(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await committer(keys).commit(client, [], [settle(held[0], Park(0, failure=False))])
    assert await client.exists(keys.failures) == 0


async def test_parking_an_entry_whose_body_was_trimmed_is_told(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xtrim(keys.stream, minid="2-0", approximate=False)
    refused = await committer(keys).commit(client, [], [settle(held[0], Park(0, "boom"))])
    assert refused == {(Source.MAIN, held[0]): Verdict(VerdictKind.TRIMMED)}
    assert await client.exists(keys.retry, keys.failures) == 0


async def test_an_entry_trimmed_while_ours_still_writes_its_outcome(
    client: Redis, keys: GroupKeys, stream: StreamKeys, held: list[bytes]
) -> None:
    await client.xtrim(keys.stream, minid="2-0", approximate=False)
    await client.xclaim(keys.stream, keys.group, "w1", 0, [held[0]], justid=True)
    assert held[0] not in await pending(client, keys)
    assert await committer(keys).commit(client, [], [settle(held[0], dead(), fenced=False)]) == {}
    assert [letter.original_id for letter in await list_letters(client, stream)] == [held[0]]


async def test_an_outcome_is_written_once_also_when_the_whole_stream_is_gone(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.delete(keys.stream)
    worker = committer(keys)
    output = Output("out", (b"n", b"1"))
    packed = worker.pack([], [settle(held[0], outputs=(output,), fenced=False)])
    assert await worker.send(client, packed) == {}
    packed[0].answer = None
    assert await worker.send(client, packed) == {}
    assert await client.xlen("out") == 1


async def test_settling_drops_the_record_of_failures(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for entry in held[:2]:
        await client.hset(keys.failures, Source.MAIN.member(entry), "1 0 0 0 5 boom")
    await committer(keys).commit(client, [], [settle(held[0]), settle(held[1], dead())])
    assert await client.exists(keys.failures) == 0


async def test_what_left_the_pending_entries_list_leaves_no_record(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    for entry in held[:3]:
        await client.hset(keys.failures, Source.MAIN.member(entry), "1 0 0 0 5 boom")
    await client.xack(keys.stream, keys.group, *held[:3])
    settlements = [
        settle(held[0], Park(0, "boom"), fenced=False),
        settle(held[1], dead()),
        settle(held[2]),
    ]
    refused = await committer(keys).commit(client, [], settlements)
    assert {verdict.kind for verdict in refused.values()} == {VerdictKind.TRIMMED, VerdictKind.GONE}
    assert await client.exists(keys.failures) == 0


async def test_a_late_result_leaves_the_record_to_the_entrys_new_owner(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.hset(keys.failures, Source.MAIN.member(held[0]), "1 0 0 0 5 boom")
    await client.xclaim(keys.stream, keys.group, "w2", 0, [held[0]])
    refused = await committer(keys).commit(client, [], [settle(held[0], count=2)])
    assert refused == {(Source.MAIN, held[0]): Verdict(VerdictKind.OWNED_BY_ANOTHER)}
    assert await client.hexists(keys.failures, Source.MAIN.member(held[0]))


async def test_a_flush_that_settled_nothing_leaves_no_number(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await committer(keys, "w2").commit(client, held[:1], [settle(held[1], Park(0))])
    assert b"flush:w2" not in await client.hkeys(keys.state)
    await committer(keys).commit(client, [], [settle(held[1], Park(0))])
    assert b"flush:w1" in await client.hkeys(keys.state)


async def test_a_dead_letter_carries_every_original_field_byte_for_byte(
    client: Redis, keys: GroupKeys, stream: StreamKeys, held: list[bytes]
) -> None:
    fields = (*FIELDS, b"payload", b"a name twice", b"f:x", b"y", b"", b"")
    await client.hset(keys.failures, Source.MAIN.member(held[0]), "2 1 0 0 1234 boom")
    outcome = DeadLetter(fields, "arr_delay is missing", "ValidationError")
    await committer(keys).commit(client, [], [settle(held[0], outcome)])
    (letter,) = await list_letters(client, stream)
    assert letter.fields == list(fields)
    assert (letter.original_id, letter.original_stream) == (held[0], "flights")
    assert (letter.group, letter.consumer) == ("delays", "w1")
    assert (letter.type, letter.version) == ("flight.landed", "1")
    assert (letter.error, letter.error_type) == ("arr_delay is missing", "ValidationError")
    assert (letter.attempts, letter.crashes, letter.first_seen_ms) == (1, 1, 1234)
    assert letter.dead_at_ms > letter.first_seen_ms
    assert held[0] not in await pending(client, keys)


async def test_an_output_of_the_wrong_type_leaves_its_entry_pending_and_harms_no_other(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.set("wrong", "a string")
    good, bad = Output("out", (b"n", b"1")), Output("wrong", (b"n", b"1"))
    refused = await committer(keys).commit(
        client,
        [held[0]],
        [settle(held[1], outputs=(good, bad)), settle(held[2], outputs=(good,))],
    )
    assert list(refused) == [(Source.MAIN, held[1])]
    verdict = refused[Source.MAIN, held[1]]
    assert verdict.kind is VerdictKind.FAILED
    assert "wrong holds a string" in verdict.reason
    assert await client.xlen("out") == 1
    assert set(await pending(client, keys)) == {held[1], held[3], held[4]}


async def test_outputs_and_ack_are_one_step(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    outputs = (Output("out", (b"n", b"1"), 10), Output("out2", (b"n", b"\x00\xff")))
    await committer(keys).commit(client, [], [settle(held[0], outputs=outputs)])
    assert [fields for _, fields in await client.xrange("out2")] == [{b"n": b"\x00\xff"}]
    assert held[0] not in await pending(client, keys)


async def test_on_a_full_server_acks_pass_and_a_dead_letter_alone_is_refused(
    redis_server: RedisServer, keys: GroupKeys, stream: StreamKeys
) -> None:
    with running(redis_server.kind) as server:
        async with connect(server.target, role="control") as client:
            await ensure_groups(client, keys)
            await fill(client, keys, 5)
            held = await read(client, keys, "w1", 5)
            await client.config_set("maxmemory", "1")
            worker = committer(keys)
            refused = await worker.commit(client, [], [settle(held[0], dead())])
            assert refused[Source.MAIN, held[0]].kind is VerdictKind.FAILED
            assert refused[Source.MAIN, held[0]].reason.startswith("OOM")
            assert held[0] in await pending(client, keys)
            assert await worker.commit(client, held[1:2]) == {}
            assert await worker.commit(client, held[2:3], [settle(held[0], dead())]) == {}
            assert len(await list_letters(client, stream)) == 1


async def test_a_user_without_the_dead_letter_key_still_settles_all_else(
    client: Redis, redis_server: RedisServer, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.acl_setuser(
        "worker",
        enabled=True,
        passwords=["+secret"],
        categories=["+@all"],
        keys=[keys.stream, keys.state, keys.failures, keys.retry],
    )
    try:
        who = StaticCredentials("worker", "secret")
        async with connect(redis_server.target, who, role="control") as limited:
            worker = committer(keys)
            assert await worker.commit(limited, held[:1]) == {}
            refused = await worker.commit(
                limited,
                held[1:2],
                [settle(held[2], Park(0, "x")), settle(held[3], dead()), settle(held[4], dead())],
            )
            assert set(refused) == {(Source.MAIN, held[3]), (Source.MAIN, held[4])}
            assert {v.kind for v in refused.values()} == {VerdictKind.FAILED}
            left = await pending(client, keys)
            assert set(left) == {held[2], held[3], held[4]}
            assert left[held[2]][0] == PARKED
    finally:
        await client.acl_deluser("worker")


@pytest.mark.parametrize("mode", ["Standalone", "Cluster"])
async def test_what_follows_a_call_that_met_a_forbidden_key_is_settled_too(
    redis_server: RedisServer, client: Redis, keys: GroupKeys, held: list[bytes], mode: str
) -> None:
    """The call is sent again in parts, each with a flush number of its own."""
    replayed = await client.xadd(keys.replay, {"type": "t"})
    await read(client, keys, "w1", 1, Source.REPLAY)
    rights = (f"~{keys.stream}", f"~headrace:{{{keys.tag}}}:*", "+@all")
    await client.execute_command("ACL", "SETUSER", "w", "on", ">pw", *rights)
    limited = connect(redis_server.target, StaticCredentials("w", "pw"), role="control")
    commits: RedisCommits | ClusterCommits = RedisCommits(committer(keys), limited)
    if mode == "Cluster":
        commits = ClusterCommits(committer(keys), limited, keys.stream, lambda _: limited)
    forbidden = Output(f"elsewhere:{{{keys.tag}}}", [b"type", b"x"])
    settlements = [
        settle(held[0], outputs=(forbidden,)),
        settle(held[1]),
        Settlement(Source.REPLAY, replayed, 1, Ack()),
    ]
    refused = await commits.send(commits.pack(held[2:], settlements))
    await limited.aclose()
    assert set(refused) == {(Source.MAIN, held[0])}
    assert await pending(client, keys) == {held[0]: ("w1", 1)}
    assert await pending(client, keys, Source.REPLAY) == {}


async def test_a_user_who_may_not_ack_is_told_at_once(
    client: Redis, redis_server: RedisServer, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.acl_setuser(
        "worker", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["other"]
    )
    try:
        who = StaticCredentials("worker", "secret")
        async with connect(redis_server.target, who, role="control") as limited:
            with pytest.raises(NoPermissionError):
                await committer(keys).commit(limited, held)
    finally:
        await client.acl_deluser("worker")


async def test_equal_event_ids_are_handled_once_and_a_redelivery_is_no_duplicate(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    worker, mark = committer(keys), Mark(b"event-7", 60_000)
    output = Output("out", (b"n", b"1"))
    assert await worker.commit(client, [], [settle(held[0], mark=mark, outputs=(output,))]) == {}
    refused = await worker.commit(client, [], [settle(held[1], mark=mark, outputs=(output,))])
    assert refused == {(Source.MAIN, held[1]): Verdict(VerdictKind.DUPLICATE)}
    assert await client.xlen("out") == 1
    assert held[1] not in await pending(client, keys)
    assert 0 < await client.pttl(keys.seen(b"event-7")) <= 60_000
    again = settle(held[0], mark=mark, fenced=False)
    assert await worker.commit(client, [], [again]) == {}


async def test_a_replayed_entry_ignores_the_mark_of_its_own_first_life(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.set(keys.seen(b"event-7"), Source.MAIN.member(held[0]))
    entry = await client.xadd(keys.replay, {"original_id": held[0]})
    await read(client, keys, "w1", 1, Source.REPLAY)
    mark = Mark(b"event-7", 60_000, original_id=held[0])
    settlement = Settlement(Source.REPLAY, entry, 1, Ack(), mark=mark)
    assert await committer(keys).commit(client, [], [settlement]) == {}
    assert await client.get(keys.seen(b"event-7")) == Source.REPLAY.member(entry)


async def test_settled_replays_are_deleted(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    ids = [await client.xadd(keys.replay, {"n": n}) for n in range(2)]
    await read(client, keys, "w1", 2, Source.REPLAY)
    settlements = [Settlement(Source.REPLAY, entry, 1, Ack()) for entry in ids]
    assert await committer(keys).commit(client, held, settlements) == {}
    assert await client.xlen(keys.replay) == 0
    assert await pending(client, keys, Source.REPLAY) == {}
    assert await pending(client, keys) == {}


async def test_the_same_id_in_both_streams_is_kept_apart(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await client.xadd(keys.replay, {"n": 1}, held[0])
    await read(client, keys, "w1", 1, Source.REPLAY)
    parked = [
        settle(held[0], Park(0, "main")),
        Settlement(Source.REPLAY, held[0], 1, Park(0, "replay")),
    ]
    await committer(keys).commit(client, [], parked)
    assert await client.zcard(keys.retry) == 2
    assert await client.hlen(keys.failures) == 2


async def test_commits_write_a_checkpoint_below_everything_unsettled_once_a_second(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    worker = committer(keys)
    await worker.commit(client, [held[0], held[2]])
    assert await client.hget(keys.state, "checkpoint") == b"1-18446744073709551615"
    await worker.commit(client, [held[1]])
    assert await client.hget(keys.state, "checkpoint") == b"1-18446744073709551615"
    await client.hincrby(keys.state, "checkpoint_at", -1000)
    await worker.commit(client, held[3:])
    assert await client.hget(keys.state, "checkpoint") == b"5-0"


async def test_a_clock_that_was_set_back_stops_no_checkpoint(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    worker = committer(keys)
    await worker.commit(client, held[:1])
    later = int((await client.time())[0]) * 1000 + 3_600_000
    await client.hset(keys.state, "checkpoint_at", str(later))
    await worker.commit(client, held[1:3])
    assert await client.hget(keys.state, "checkpoint") == b"3-18446744073709551615"


async def test_a_group_recreated_at_its_checkpoint_delivers_all_that_was_pending(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    await committer(keys).commit(client, [held[0], held[2]])
    await client.xgroup_destroy(keys.stream, keys.group)
    await ensure_groups(client, keys)
    assert await read(client, keys, "w2", 10) == held[1:]


async def test_the_fence_finds_entries_wherever_they_stand_in_the_pel(
    client: Redis, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 1200)
    held = await read(client, keys, "w1", 1200)
    worker = committer(keys)
    assert await worker.commit(client, [held[900], held[3], held[11], held[500]]) == {}
    rest = [entry for n, entry in enumerate(held) if n not in {900, 3, 11, 500}]
    assert await worker.commit(client, rest[::-1]) == {}
    assert await pending(client, keys) == {}


async def test_a_flush_is_split_at_a_thousand_entries_and_one_mebibyte(keys: GroupKeys) -> None:
    ids = [b"%d-0" % n for n in range(2500)]
    worker = committer(keys)
    assert [len(call.acks) for call in worker.pack(ids)] == [1000, 1000, 500]
    big = DeadLetter((b"payload", b"x" * 400_000), "e", "E")
    calls = worker.pack(ids[:10], [settle(entry, big) for entry in ids[:5]])
    assert [(len(call.acks), len(call.settlements)) for call in calls] == [(10, 2), (0, 2), (0, 1)]
    calls = worker.pack(ids[:600], [settle(entry, Park(0)) for entry in ids[:600]])
    assert [(len(call.acks), len(call.settlements)) for call in calls] == [(600, 400), (0, 200)]
    numbers = [int(call.args[2]) for call in calls]
    assert numbers == sorted(set(numbers))
    assert worker.pack() == []


async def test_only_keys_that_a_flush_uses_are_declared(keys: GroupKeys) -> None:
    worker = committer(keys)
    (acks,) = worker.pack([b"1-0"])
    assert acks.keys == [keys.stream, keys.state]
    (parks,) = worker.pack([], [settle(b"1-0", Park(0))])
    assert parks.keys == [keys.stream, keys.state, keys.failures, keys.retry]
    (deads,) = worker.pack([], [settle(b"1-0", dead())])
    assert deads.keys == [keys.stream, keys.state, keys.failures, keys.dead_letters]


async def test_two_workers_commit_side_by_side(client: Redis, keys: GroupKeys) -> None:
    await ensure_groups(client, keys)
    await fill(client, keys, 200)

    async def work(name: str) -> None:
        worker = committer(keys, name)
        while ids := await read(client, keys, name, 7):
            assert await worker.commit(client, ids) == {}

    await asyncio.gather(work("w1"), work("w2"))
    assert await pending(client, keys) == {}


@pytest.mark.parametrize("how", ["acks", "outputs"])
async def test_the_fence_of_a_flush_in_order_asks_once(
    client: Redis, keys: GroupKeys, how: str
) -> None:
    await ensure_groups(client, keys)
    for n in range(8, 128):  # of one millisecond: "1-8" stands behind "1-10" as text
        await client.xadd(keys.stream, {"n": n}, f"1-{n}")
    held = await read(client, keys, "w1", 120)
    output = Output("{s}:out", (b"n", b"1"))
    flush = (
        (held[:100], []) if how == "acks" else ([], [settle(i, outputs=(output,)) for i in held])
    )
    await client.config_resetstat()
    assert await committer(keys).commit(client, *flush) == {}
    stats = await client.info("commandstats")
    assert stats["cmdstat_xpending"]["calls"] <= 2  # the checkpoint asks for the oldest entry too


async def test_an_error_that_is_no_unicode_is_written_all_the_same(
    client: Redis, keys: GroupKeys, held: list[bytes]
) -> None:
    letter = DeadLetter(FIELDS, "broken \udcff text", "OddError")
    settlements = [settle(held[0], letter), settle(held[1], Park(0, "broken \udcff text"))]
    assert await committer(keys).commit(client, [], settlements) == {}
    (found,) = await list_letters(client, StreamKeys(keys.stream))
    assert found.error == "broken \\udcff text"
