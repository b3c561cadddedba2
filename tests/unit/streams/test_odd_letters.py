"""Letters and replays that others wrote are read as far as they are ours: one that cannot be read
would end every worker that it comes to."""

import msgpack
import pytest

from headrace.streams.dead_letters import Replayed, read_letter, read_replayed

OURS = [b"f:type", b"flight.landed"]


@pytest.mark.parametrize(
    "packed",
    [
        msgpack.packb([1, 2]),
        msgpack.packb(["name", "value"]),
        msgpack.packb([b"name", None]),
        msgpack.packb([b"name"]),
        msgpack.packb({b"name": b"value"}),
        b"\xc1",
        b"",
    ],
)
def test_packed_fields_that_are_none_are_left_out(packed: bytes) -> None:
    read = read_replayed([b"original_id", b"1-0", *OURS, b"packed_fields", packed])
    assert read == Replayed(b"1-0", [b"type", b"flight.landed"])


@pytest.mark.parametrize("number", [b"", b"-1", b"many", b"9" * 5_000])
def test_a_number_that_is_none_counts_as_nothing(number: bytes) -> None:
    letter = read_letter(b"2-0", [b"attempts", number, b"replays", number, *OURS])
    assert (letter.attempts, letter.replays) == (0, 0)
