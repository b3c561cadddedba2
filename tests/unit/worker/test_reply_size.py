"""How many entries a worker asks for follows the sizes and the speed of what came before."""

from headrace.worker.intake.reply_size import FIRST_COUNT, HELD_BYTES, ReplySize

MEGABYTE = 1_000_000


def test_before_anything_came_one_is_asked_for() -> None:
    sizes = ReplySize()
    for _ in range(10):
        sizes.arrived(0, 0, 0.001)
    assert sizes.most(HELD_BYTES) == FIRST_COUNT == 1


def test_small_entries_are_soon_asked_for_by_the_hundred() -> None:
    sizes = ReplySize()
    for _ in range(5):
        sizes.arrived(4, 4 * 150, 0.001)
    assert sizes.most(HELD_BYTES) == FIRST_COUNT * 32


def test_large_entries_are_asked_for_as_far_as_their_bytes_may_be_held() -> None:
    sizes = ReplySize()
    for _ in range(5):
        sizes.arrived(4, 4 * 5 * MEGABYTE, 0.01)
    assert sizes.most(HELD_BYTES) == HELD_BYTES // (5 * MEGABYTE)
    assert sizes.most(2 * MEGABYTE) == 0
    assert sizes.most(-60 * MEGABYTE) == 0, "Redis takes a COUNT below 0 for no limit"


def test_a_slow_line_is_asked_for_what_it_carries_in_a_second_and_one_at_least() -> None:
    sizes = ReplySize()
    for _ in range(5):
        sizes.arrived(4, 4 * MEGABYTE, 1.0)
    assert sizes.most(HELD_BYTES) == 4
    sizes.arrived(1, MEGABYTE, 30.0)
    assert sizes.most(HELD_BYTES) == 1


def test_a_larger_size_counts_at_once_and_a_smaller_one_by_and_by() -> None:
    sizes = ReplySize()
    for _ in range(10):
        sizes.arrived(100, 100 * 100, 0.001)
    sizes.arrived(100, 100 * MEGABYTE, 0.1)
    assert sizes.most(HELD_BYTES) == HELD_BYTES // MEGABYTE
    sizes.arrived(100, 100 * 100, 0.001)
    assert HELD_BYTES // MEGABYTE < sizes.most(HELD_BYTES) < 100


def test_after_a_reply_that_did_not_come_fewer_are_asked_for_down_to_one() -> None:
    sizes = ReplySize()
    for _ in range(10):
        sizes.arrived(1, 100, 0)
    asked = []
    for _ in range(5):
        asked.append(min(100, sizes.most(HELD_BYTES)))
        sizes.failed(asked[-1])
    assert asked == [100, 25, 6, 1, 1]


def test_after_a_reply_that_grew_too_large_one_is_asked_for() -> None:
    sizes = ReplySize()
    for _ in range(10):
        sizes.arrived(100, 100 * 100, 0.001)
    sizes.failed(100, 64 * MEGABYTE)
    assert sizes.most(HELD_BYTES) == 1
