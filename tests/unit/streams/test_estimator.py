"""The estimator never calls work 0, and exact is exact, whatever the server's counters say."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.estimator import (
    GroupFacts,
    Lag,
    Quality,
    StreamFacts,
    add_lags,
    estimate_lag,
    estimate_parked,
    estimate_replay_lag,
    floor_of,
    oldest_age,
)
from headrace.streams.info import info_of
from headrace.streams.server import Server, server_of

IDS = st.tuples(st.integers(0, 20), st.integers(0, 3))
BOTH = st.booleans()


def stream_of(ids: list[tuple[int, int]], generated: tuple[int, int]) -> StreamFacts:
    ordered = sorted(ids)
    first, last = (ordered[0], ordered[-1]) if ordered else (None, None)
    return StreamFacts(len(ids), len(ids), max([generated, *ids]), first, last)


@given(st.sets(IDS), IDS, IDS, st.one_of(st.none(), st.integers(0, 90)))
def test_on_servers_whose_lag_may_be_wrong_no_answer_is_below_one_while_work_exists(
    ids: set[tuple[int, int]], generated: tuple[int, int], delivered: tuple[int, int], lag: int
) -> None:
    found = estimate_lag(
        stream_of(list(ids), generated), GroupFacts(delivered, lag), lag_is_exact=False
    )
    unread = sum(entry > delivered for entry in ids)
    if found.entries is None:
        assert found.quality is Quality.UNKNOWN
    elif unread:
        assert found.entries >= 1
    if found.quality is Quality.EXACT:
        assert found.entries == unread


@given(st.sets(IDS), IDS, BOTH)
def test_a_count_is_believed_before_the_servers_lag(
    ids: set[tuple[int, int]], delivered: tuple[int, int], exact: bool
) -> None:
    unread = sum(entry > delivered for entry in ids)
    group = GroupFacts(delivered, 77, counted=unread)
    found = estimate_lag(stream_of(list(ids), delivered), group, lag_is_exact=exact)
    assert (found.entries, found.quality) == (unread, Quality.EXACT)


def test_a_group_ahead_of_its_stream_is_unknown() -> None:
    stream = stream_of([(5, 0), (6, 0)], (6, 0))
    found = estimate_lag(stream, GroupFacts((1_700_000_000_000, 0), None), lag_is_exact=True)
    assert (found.entries, found.quality) == (None, Quality.UNKNOWN)


def test_a_missing_stream_or_group_is_unknown() -> None:
    stream = stream_of([(1, 0)], (1, 0))
    for facts in ((None, None), (stream, None)):
        assert estimate_lag(*facts, lag_is_exact=True).quality is Quality.UNKNOWN


def test_a_null_lag_beyond_the_count_is_bounded_by_the_length() -> None:
    stream = stream_of([(n, 0) for n in range(1, 10)], (9, 0))
    found = estimate_lag(stream, GroupFacts((4, 0), None), lag_is_exact=True)
    assert (found.entries, found.quality) == (9, Quality.UPPER)


def test_an_integer_lag_is_exact_only_where_the_server_counts_right() -> None:
    stream = stream_of([(n, 0) for n in range(1, 10)], (9, 0))
    group = GroupFacts((4, 0), 5)
    assert estimate_lag(stream, group, lag_is_exact=True).quality is Quality.EXACT
    assert estimate_lag(stream, group, lag_is_exact=False).quality is Quality.UPPER


def test_a_lag_of_zero_with_an_unread_last_entry_is_not_believed() -> None:
    stream = stream_of([(n, 0) for n in range(1, 10)], (9, 0))
    for lag in (0, 10):
        found = estimate_lag(stream, GroupFacts((4, 0), lag), lag_is_exact=True)
        assert (found.entries, found.quality) == (9, Quality.UPPER)


def test_a_replay_stream_without_its_group_is_all_unread() -> None:
    stream = stream_of([(1, 0), (2, 0)], (2, 0))
    assert estimate_replay_lag(stream, None, lag_is_exact=False).entries == 2
    assert estimate_replay_lag(None, None, lag_is_exact=False).entries == 0


def test_two_lags_are_worth_as_much_as_the_worse() -> None:
    exact, upper = Lag(1, Quality.EXACT, "a"), Lag(2, Quality.UPPER, "b")
    unknown = Lag(None, Quality.UNKNOWN, "c")
    assert add_lags(exact, exact).quality is Quality.EXACT
    assert add_lags(exact, upper) == Lag(3, Quality.UPPER, "b")
    assert add_lags(unknown, exact) == unknown
    assert add_lags(exact, unknown) == unknown


@given(
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)
)
def test_entries_that_wait_never_hide_ready_ones(
    waiting: int, due: int, orphans: int, stale_waiting: int, stale_due: int
) -> None:
    """Parked entries with a member (waiting, due) or none, and members whose entry is gone."""
    if orphans and (stale_waiting or stale_due):
        return  # the set was lost, then others were settled by hand: waits for the next adoption
    entries = waiting + due + orphans
    members = waiting + due + stale_waiting + stale_due
    found = estimate_parked(entries, members, due + stale_due)
    assert due + orphans <= found.due <= entries
    if not (orphans or stale_waiting or stale_due):
        assert found.due == due


def test_the_floor_is_the_lower_of_both_ids() -> None:
    assert floor_of(GroupFacts((9, 0), 0)) == (9, 0)
    assert floor_of(GroupFacts((9, 0), 0, oldest_pending_id=(3, 0))) == (3, 0)
    assert floor_of(GroupFacts((0, 0), 0, oldest_pending_id=(8, 0))) == (0, 0)


def test_age_is_that_of_the_oldest_unhandled_entry() -> None:
    now = 1_700_000_000_000
    pending = GroupFacts((now, 0), 0, oldest_pending_id=(now - 5_000, 0))
    unread = GroupFacts((0, 0), 1, first_unread_id=(now - 9_000, 0))
    assert oldest_age([pending, unread], now) == 9.0
    assert oldest_age([GroupFacts((now, 0), 0)], now) is None
    assert oldest_age([GroupFacts((0, 0), 1, first_unread_id=(5, 0))], now) is None


def test_the_versions_with_a_right_lag_are_known() -> None:
    right = {"redis": ["7.2.7", "7.4.2", "8.0.0"], "valkey": ["8.0.3", "8.1.1", "9.0.0"]}
    wrong = {"redis": ["7.0.15", "7.2.6", "7.4.1"], "valkey": ["8.0.2", "8.1.0"]}
    for versions, expected in ((right, True), (wrong, False)):
        for name, texts in versions.items():
            for text in texts:
                version = tuple(int(part) for part in text.split("."))
                assert Server(name, version).lag_is_exact is expected, (name, text)


def test_valkey_is_known_by_its_own_version() -> None:
    info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n"
    assert server_of(info_of(info)) == Server("valkey", (8, 1, 1))
    assert server_of(info_of("# Server\r\nredis_version:7.0.15\r\n")) == Server("redis", (7, 0, 15))
