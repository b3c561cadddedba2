"""What happens to the operator itself."""

from __future__ import annotations

import signal

from tests.hostile.actions.registry import act, in_force
from tests.hostile.story import Step
from tests.hostile.world import OPERATOR_AWAY, Undo, World

ENDS = (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)
"""After a SIGKILL it does not give its Lease back; the stage does."""


@act(weight=2)
def operator_restarts(world: World, step: Step) -> Undo | None:
    world.stage.operator.signal(step.pick(ENDS))
    return None


@act(weight=2)
def operator_is_away(world: World, step: Step) -> Undo | None:
    """While other things are done."""
    operator = world.stage.operator

    def back() -> None:
        operator.let_up()
        operator.wait_until_it_leads()

    return in_force(world, lambda: operator.hold_down(step.pick(ENDS)), back, OPERATOR_AWAY)
