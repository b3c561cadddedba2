"""The grammar of endings gives the same for the same seed, and covers what Python can raise."""

import builtins

from tests.crash.endings import ERRORS, Fate, draw
from tests.crash.workload import Mix, events, seq_of

SEEDS = range(3000)


def test_a_seed_always_gives_the_same() -> None:
    assert [draw(seed).name for seed in SEEDS] == [draw(seed).name for seed in SEEDS]


def test_every_exception_of_python_is_among_them() -> None:
    own = {one for one in vars(builtins).values() if isinstance(one, type)}
    assert {one for one in own if issubclass(one, BaseException)} <= set(ERRORS)


def test_they_raise_many_kinds() -> None:
    raised = set()
    for seed in SEEDS:
        try:
            draw(seed).act(None)
        except BaseException as error:
            raised.add(type(error))
    assert len(raised) > 60


def test_what_says_done_never_rejects() -> None:
    assert {draw(seed).fate for seed in SEEDS} == {Fate.DONE, Fate.ANY}


def test_payloads_have_their_size_from_one_byte_to_five_megabytes() -> None:
    sizes = [len(event.payload()) for event in events(1, 400, Mix(sized=True))]
    assert min(sizes) < 10
    assert max(sizes) > 1_000_000
    assert max(sizes) <= 5_000_000


def test_an_id_gives_its_number_back() -> None:
    assert [seq_of(b"0-0"), seq_of(b"1700000000000-1"), seq_of(b"1700000000012-4")] == [-1, 0, 123]
