"""What is in the stream and on a replica is handled, whatever server holds it meanwhile, and not
more often than it was delivered. A short part of `make test-connections`."""

from tests.support.redis_topologies import cluster, sentinel_set
from tests.support.under_load import run_through


async def test_a_failover_by_sentinels_under_load_loses_nothing() -> None:
    with sentinel_set() as topology:
        result = await run_through(topology, topology.fail_over)
    assert not result.lost
    assert result.twice <= result.redelivered + result.as_new


async def test_a_slot_that_moves_under_load_and_a_dead_primary_lose_nothing() -> None:
    with cluster() as topology:
        moved = await run_through(topology, topology.move_slot)
        killed = await run_through(topology, topology.kill_primary)
    for result in (moved, killed):
        assert not result.lost
        assert result.twice <= result.redelivered + result.as_new
