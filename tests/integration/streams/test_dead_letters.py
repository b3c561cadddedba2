"""Dead letters can be read, sent back and deleted, and lose no byte on the way."""

import pytest
from redis.asyncio import Redis
from tests.integration.streams.redis_words import read

from headrace.streams.commit import Committer
from headrace.streams.dead_letters import list_letters, purge, read_replayed
from headrace.streams.entries import Source
from headrace.streams.groups import ensure_groups
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace.streams.replay import replay
from headrace.streams.script import call
from headrace.streams.settlement import DeadLetter, Settlement

FIELDS = [b"type", b"t", b"payload", b"\x00\xff", b"payload", b"twice", b"original_id", b"mine"]


@pytest.fixture
async def letter_id(client: Redis, keys: GroupKeys, stream: StreamKeys) -> bytes:
    """One dead letter of entry 7-0, which failed in group delays."""
    await ensure_groups(client, keys)
    await call(client, ("XADD", keys.stream, "7-0", *FIELDS))
    await read(client, keys, "w1", 1)
    worker = Committer(keys, "w1", dead_letter_max_length=100)
    settlement = Settlement(Source.MAIN, b"7-0", 1, DeadLetter(FIELDS, "no", "ValueError"))
    assert await worker.commit(client, [], [settlement]) == {}
    (letter,) = await list_letters(client, stream)
    return letter.id


async def test_a_replay_rebuilds_the_event_and_leaves_no_letter(
    client: Redis, keys: GroupKeys, stream: StreamKeys, letter_id: bytes
) -> None:
    letters = await list_letters(client, stream)
    assert await replay(client, stream, letters) == {}
    assert await list_letters(client, stream) == []
    ((_, flat),) = await call(client, ("XRANGE", keys.replay, "-", "+"))
    replayed = read_replayed(flat)
    assert (replayed.original_id, replayed.fields) == (b"7-0", FIELDS)
    assert replayed.replays == 1


async def test_an_event_that_fails_again_keeps_the_id_of_its_first_life(
    client: Redis, keys: GroupKeys, stream: StreamKeys, letter_id: bytes
) -> None:
    await replay(client, stream, await list_letters(client, stream))
    (second_id,) = await read(client, keys, "w1", 1, Source.REPLAY)
    outcome = DeadLetter(FIELDS, "again", "ValueError", original_id=b"7-0", replays=1)
    worker = Committer(keys, "w2-new", dead_letter_max_length=100)
    await client.xclaim(keys.replay, keys.group, "w2-new", 0, [second_id])
    settlement = Settlement(Source.REPLAY, second_id, 2, outcome)
    assert await worker.commit(client, [], [settlement]) == {}
    (letter,) = await list_letters(client, stream)
    assert (letter.original_id, letter.fields, letter.error) == (b"7-0", FIELDS, "again")
    assert letter.replays == 1
    assert await client.xlen(keys.replay) == 0


async def test_an_entry_of_ten_thousand_fields_is_buried_and_replayed_whole(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    await ensure_groups(client, keys)
    fields = [b"type", b"t"] + [b"%d" % n for n in range(2 * 10_000)]
    await call(client, ("XADD", keys.stream, "7-0", *fields))
    await read(client, keys, "w1", 1)
    worker = Committer(keys, "w1", dead_letter_max_length=100)
    settlement = Settlement(Source.MAIN, b"7-0", 1, DeadLetter(fields, "no", "ValueError"))
    assert await worker.commit(client, [], [settlement]) == {}
    (letter,) = await list_letters(client, stream)
    assert (letter.type, letter.fields) == ("t", fields)
    assert await replay(client, stream, [letter]) == {}
    ((_, flat),) = await call(client, ("XRANGE", keys.replay, "-", "+"))
    assert read_replayed(flat).fields == fields


async def test_letters_of_another_stream_stay(
    client: Redis, stream: StreamKeys, letter_id: bytes
) -> None:
    (letter,) = await list_letters(client, stream)
    other = StreamKeys("bookings", stream.dead_letters)
    refused = await replay(client, other, [letter])
    assert "it comes from another stream, 'flights'" in refused[letter_id]
    assert len(await list_letters(client, stream)) == 1


async def test_letters_stay_while_their_group_does_not_exist(
    client: Redis, keys: GroupKeys, stream: StreamKeys, letter_id: bytes
) -> None:
    await client.delete(keys.replay)
    refused = await replay(client, stream, await list_letters(client, stream))
    assert "does not exist" in refused[letter_id]
    assert len(await list_letters(client, stream)) == 1


async def test_a_letter_is_replayed_once(
    client: Redis, keys: GroupKeys, stream: StreamKeys, letter_id: bytes
) -> None:
    (letter,) = await list_letters(client, stream)
    refused = await replay(client, stream, [letter, letter])
    assert refused == {letter_id: "it was replayed or purged by somebody else"}
    assert await client.xlen(keys.replay) == 1


async def test_letters_are_listed_newest_first_page_by_page(
    client: Redis, stream: StreamKeys
) -> None:
    for n in range(5):
        await client.xadd(stream.dead_letters, {"original_id": f"{n}-0", "odd": "x"}, f"{n + 1}-0")
    first = await list_letters(client, stream, count=3)
    rest = await list_letters(client, stream, before=first[-1].id, count=3)
    assert [letter.id for letter in first + rest] == [b"5-0", b"4-0", b"3-0", b"2-0", b"1-0"]


async def test_purged_letters_are_gone(client: Redis, stream: StreamKeys, letter_id: bytes) -> None:
    assert await purge(client, stream, [letter_id, b"1-1"]) == 1
    assert await list_letters(client, stream) == []


async def test_beyond_their_bound_the_oldest_letters_go(
    client: Redis, keys: GroupKeys, stream: StreamKeys
) -> None:
    """Redis drops whole nodes of at most 100 entries."""
    await ensure_groups(client, keys)
    worker = Committer(keys, "w1", dead_letter_max_length=100)
    for number in range(1, 301):
        await call(client, ("XADD", keys.stream, f"{number}-0", *FIELDS))
        (entry,) = await read(client, keys, "w1", 1)
        letter = DeadLetter(FIELDS, "no", "ValueError")
        await worker.commit(client, [], [Settlement(Source.MAIN, entry, 1, letter)])
    assert 100 <= await client.xlen(stream.dead_letters) <= 200
    newest = (await list_letters(client, stream))[0]
    assert newest.original_id == b"300-0"
