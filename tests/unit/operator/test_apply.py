"""What the applier remembers of a child between two passes."""

from bench.operator.passes import World, small

from headrace_operator.plan.observation import ChildRef
from headrace_operator.reconcile.memory import Rejection

RECLAIM = ChildRef("CronJob", "flights-delays-reclaim")


async def settled_world() -> World:
    world = small()
    await world.settle()
    return world


async def test_the_refusal_of_a_manifest_that_was_taken_back_is_forgotten() -> None:
    """The live child never changed, so nothing is sent that could be accepted."""
    world = await settled_world()
    world.memory.rejections[RECLAIM] = Rejection("requests over limits", {}, 0.0)
    await world.one_pass()
    assert world.memory.rejections == {}
