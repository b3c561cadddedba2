"""When the shards of a Cluster are said to carry unevenly."""

import pytest

from headrace.streams.info import info_of
from headrace.streams.shards import Shard, hot_shard, shard_of

MIB = 1 << 20


def shards(*memory: int, input: tuple[float, ...] = ()) -> list[Shard]:
    rates = input or (0.0,) * len(memory)
    pairs = zip(memory, rates, strict=True)
    return [Shard(f"node-{n}:6379", size * MIB, rate) for n, (size, rate) in enumerate(pairs)]


@pytest.mark.parametrize(
    "carried",
    [
        shards(),
        shards(900),  # nothing to compare with
        shards(300, 300, 300),
        shards(600, 200, 200),  # less than twice its fair part
        shards(30, 0, 0),  # too little to speak of
        shards(85, 15),
        shards(0, 0, 0, input=(190.0, 0.0, 0.0)),
    ],
)
def test_what_is_even_or_little_is_not_told(carried: list[Shard]) -> None:
    assert hot_shard(carried) is None


def test_the_shard_is_named_with_its_part_and_what_to_do() -> None:
    told = hot_shard(shards(10, 10, 80))
    assert told is not None
    assert told.startswith(
        "of 3 shards node-2:6379 carries about 80 % of the memory; a stream lives"
    )
    assert "{flights-0}" in told


def test_of_two_shards_nine_tenths_count() -> None:
    assert hot_shard(shards(91, 9)) is not None


def test_what_comes_in_counts_by_itself() -> None:
    one = hot_shard(shards(100, 100, 100, input=(900.0, 50.0, 50.0)))
    assert one is not None
    assert "node-0:6379 carries about 90 % of what comes in" in one
    both = hot_shard(shards(300, 1, 1, input=(900.0, 50.0, 50.0)))
    assert both is not None
    assert "about 100 % of the memory and about 90 % of what comes in" in both
    two = hot_shard(shards(300, 1, 1, input=(50.0, 50.0, 900.0)))
    assert two is not None
    assert "node-0:6379 carries" in two
    assert "node-2:6379 carries" in two


def test_the_figures_are_the_server_s_own() -> None:
    info = info_of("used_memory_dataset:7\r\ninstantaneous_input_kbps:1.5\r\n")
    assert shard_of("a:1", info) == Shard("a:1", 7, 1.5)
    assert shard_of("a:1", {}) == Shard("a:1", 0, 0.0)
