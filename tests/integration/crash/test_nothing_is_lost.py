"""The short version of `make test-crash`: one run of a few scenarios."""

import pytest
from tests.crash.run import Run
from tests.crash.world import play


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("kills", "valkey"),
        ("everything", "redis"),
        ("force", "redis-8"),
        ("destroyed_full", "redis"),
        ("failover", "valkey"),
    ],
)
def test_every_event_has_its_effect_whatever_fails(scenario: str, kind: str) -> None:
    report = play(Run(seed=7, scenario=scenario, kind=kind, events=800, rate=400))
    assert not report.violations, report.violations
    assert report.effects >= report.sent - report.trimmed
