"""What the record of a run proves, and what it cannot."""

from collections import Counter

import pytest
from tests.crash.checker import check
from tests.crash.report import Circumstances, Ending, Line
from tests.crash.workload import Sent

EMITS = Sent(0, "emit", fail=0, pause=0.0)
HANDLED = [Line("start", 0, "a", 1, 1, 10.0), Line("effect", 0, "a", 1, 1, 14.0)]


def ending(*, present: bool, outputs: int) -> Ending:
    return Ending(
        present=frozenset({0} if present else ()),
        dead=Counter(),
        outputs=Counter({0: outputs}),
        pending=0,
        lag=0,
        leaked=frozenset(),
    )


def test_an_effect_has_its_output() -> None:
    assert not check([EMITS], HANDLED, ending(present=True, outputs=1), Circumstances()).violations
    report = check([EMITS], HANDLED, ending(present=True, outputs=0), Circumstances())
    assert report.violations == {"outputs": ["event 0 (emit): 0 outputs, not 1"]}


@pytest.mark.parametrize(
    ("owners", "excused"),
    [
        pytest.param([("a", 10.0)], False, id="its-worker-had-it"),
        pytest.param([("a", 10.0), ("headrace:parked", 12.0)], True, id="it-was-taken"),
    ],
)
def test_what_force_took_from_a_living_worker_has_its_output_unless_it_was_taken(
    owners: list[tuple[str, float]], excused: bool
) -> None:
    around = Circumstances(owners={0: owners}, removed_below=1)
    report = check([EMITS], HANDLED, ending(present=False, outputs=0), around)
    assert bool(report.violations) is not excused
