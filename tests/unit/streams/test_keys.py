"""Derived keys stay in the stream's slot and never meet those of another stream [trap 4]."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName

NAMES = st.text(st.sampled_from("ab:{}-"), min_size=1, max_size=8)


def hash_tag(key: str) -> str:
    """What Redis Cluster hashes of a key, from its specification."""
    start = key.find("{")
    if start < 0:
        return key
    end = key.find("}", start + 1)
    return key if end in (-1, start + 1) else key[start + 1 : end]


def usable(name: str) -> StreamKeys | None:
    try:
        return StreamKeys(name)
    except UnusableName:
        return None


def all_keys(keys: GroupKeys) -> set[str]:
    return {keys.retry, keys.failures, keys.replay, keys.state, keys.dead_letters}


@given(NAMES)
def test_every_key_lies_in_the_slot_of_its_stream(name: str) -> None:
    if stream := usable(name):
        group = stream.for_group("g")
        for key in all_keys(group) | {group.seen(b"e{x}").decode()}:
            assert hash_tag(key) == hash_tag(name)


GROUPS = st.text(st.sampled_from("g:1"), min_size=1, max_size=5)


@given(NAMES, NAMES, GROUPS, GROUPS)
def test_no_two_groups_share_a_key(one: str, two: str, group: str, other: str) -> None:
    first, second = usable(one), usable(two)
    if first and second and (one, group) != (two, other):
        shared = all_keys(first.for_group(group)) & all_keys(second.for_group(other))
        assert shared <= ({first.dead_letters} if one == two else set())


LIVES = st.sampled_from(["", "65c3f2a1b0d47", "65c3f2a1b0d48"])


def mark(stream: StreamKeys, group: str, event: str, life: str) -> bytes:
    keys = stream.for_group(group)
    keys.life.begin(life)
    return keys.seen(event.encode())


@given(NAMES, NAMES, GROUPS, GROUPS, NAMES, NAMES, LIVES, LIVES)
def test_no_two_events_share_a_mark(
    one: str, two: str, group: str, another: str, event: str, other: str, life: str, next_life: str
) -> None:
    first, second = usable(one), usable(two)
    if first and second and (one, group, event, life) != (two, another, other, next_life):
        assert mark(first, group, event, life) != mark(second, another, other, next_life)


@pytest.mark.parametrize("name", ["a{}b", "{}", "a}b", "}", "{}x", ""])
def test_a_name_that_no_tag_expresses_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(UnusableName, match=r"remove it|needs a name"):
        StreamKeys(name)


@pytest.mark.parametrize(
    ("name", "tag"),
    [("flights", "flights"), ("{flights}", "flights"), ("a{b}c{d}", "b"), ("a{b", "a{b")],
)
def test_the_tag_is_the_names_own_or_the_name(name: str, tag: str) -> None:
    assert StreamKeys(name).tag == tag


def test_keys_read_as_the_design_writes_them() -> None:
    keys = StreamKeys("{p}:events").for_group("delays")
    assert keys.retry == "headrace:{p}:retry:delays:{p}:events"
    assert keys.dead_letters == "headrace:{p}:dead:{p}:events"
    assert StreamKeys("s", "mine").dead_letters == "mine"


def test_a_group_without_a_colon_keeps_its_keys_and_one_with_a_colon_has_some() -> None:
    keys = StreamKeys("s").for_group("team:delays")
    assert keys.state == "headrace:{s}:state::11:team:delays:s"
    assert keys.seen(b"e") == b"headrace:{s}:seen::11:team:delays:1:s:e"


def test_a_group_without_a_name_is_refused() -> None:
    with pytest.raises(UnusableName, match="needs a name"):
        StreamKeys("s").for_group("")
