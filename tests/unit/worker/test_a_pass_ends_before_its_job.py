"""A reclaim pass leaves its Job the time to start and to let handlers end."""

import pytest

from headrace.worker.reclaim import pass_seconds
from headrace_api.jobs import DEADLINE_SECONDS


@pytest.mark.parametrize(
    ("handler_timeout", "seconds"),
    [(30, 3210), (600, 2640), (3600, 1800), (86_400, 1800)],
)
def test_the_time_of_a_pass(handler_timeout: float, seconds: float) -> None:
    assert pass_seconds(DEADLINE_SECONDS, handler_timeout) == pytest.approx(seconds)
