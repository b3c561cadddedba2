"""What of a reading enters an observation, and that observing changes nothing."""

from copy import deepcopy

from bench.operator.passes import KEY, small
from tests.support.observations import backlog, group_backlog

from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.backlog.wakeups import Reading
from headrace_operator.plan import RenderedPipeline
from headrace_operator.reconcile.observe import known_backlog


async def test_observing_leaves_the_memory_as_it_was() -> None:
    world = small()
    await world.settle()
    live = world.cache.pipeline(KEY)
    assert live is not None
    pipeline = StreamPipeline.model_validate(live)
    rendered = RenderedPipeline(pipeline, world.reconciler.settings)
    memory = world.memory
    memory.planned.rendered = None  # it has no equality
    parts = (memory.connection, memory.groups, memory.planned, memory.status, memory.deletion)
    before = deepcopy(parts)
    memory.connection.refresh_at = before[0].refresh_at = 0.0  # connect would be due
    await world.reconciler.observer.observe(live, pipeline, rendered, memory)
    assert parts == before


def test_a_reading_says_nothing_of_a_group_that_was_created_after_it() -> None:
    missing = group_backlog(None, exists=False)
    reading = Reading(backlog(audit=group_backlog(3), late=missing), None, clock=10.0)

    before = known_backlog(reading, {"late": 10.2})
    assert before is not None
    assert list(before.groups) == ["audit"], "it would be taken for one that Redis has lost"

    after = known_backlog(reading, {"late": 9.9})
    assert after is not None
    assert list(after.groups) == ["audit", "late"]
