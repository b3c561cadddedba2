"""Whatever befalls the connection: nothing is lost, little is said and used meanwhile, and the
worker goes on by itself. Each fault on one kind of server; `make test` has some of them,
`make test-connections` all."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.connections.failures import SECONDS
from tests.connections.faults import FAULTS
from tests.connections.play import Outcome, play
from tests.support.redis_servers import KINDS

AT_ONCE = 7
PLAYED = FAULTS[::4]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Future[Outcome]]:
    """Played side by side: they mostly wait."""
    kinds = list(KINDS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {
            fault.name: pool.submit(play, fault, kinds[number % len(kinds)], SECONDS)
            for number, fault in enumerate(PLAYED)
        }


@pytest.mark.parametrize("fault", [fault.name for fault in PLAYED])
def test_a_worker_goes_on_after(fault: str, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[fault].result()
    assert not outcome.wrong, outcome.log
