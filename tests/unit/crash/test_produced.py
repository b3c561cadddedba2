"""What producers say that they sent is held against what the stream holds."""

import json

from tests.crash.producers import differences, wrong_ids


def entry(who: str, number: int, **fields: bytes) -> dict[bytes, bytes]:
    payload = json.dumps({"who": who, "number": number, "id": None}).encode()
    return {b"payload": payload, **{name.encode(): value for name, value in fields.items()}}


def test_each_event_is_there_once_and_under_its_own_id() -> None:
    assert not differences(
        ["child 0 1-1 ", "child 1 1-2 "], {b"1-1": entry("child", 0), b"1-2": entry("child", 1)}
    )


def test_a_lost_event_and_a_doubled_one_show() -> None:
    stream = {b"1-1": entry("child", 1), b"1-2": entry("child", 1)}
    found = differences(["child 0 1-1 ", "child 1 1-2 "], stream)
    assert [bound for bound, _ in found] == ["produced", "produced"]
    assert "0 times" in found[0][1]
    assert "2 times" in found[1][1]


def test_so_does_an_id_that_is_another_events() -> None:
    stream = {b"1-1": entry("a", 0), b"1-2": entry("b", 0)}
    assert differences(["a 0 1-2 ", "b 0 1-2 "], stream)[0][0] == "produced"


def test_and_an_event_that_was_given_up() -> None:
    assert differences(["a 0 - Redis is away"], {}) == [
        ("not-sent", "event a 0 was given up: Redis is away")
    ]


def test_no_id_is_not_the_text_of_nothing() -> None:
    assert not wrong_ids([entry("command", 1)])
    assert wrong_ids([entry("command", 1, id=b"None")])
