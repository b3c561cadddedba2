"""What Secrets and ConfigMaps must hold before the operator connects by them."""

import base64
from typing import Any

import pytest
from bench.operator.passes import KEY, small
from tests.support.observations import pipeline

from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.reconcile.referenced_objects import Fetched, access_of


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def holder(data: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "ca", "uid": "u"}, "data": data}


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_ca_that_holds_nothing_does_not_mean_the_systems(text: str) -> None:
    by_secret = pipeline({"spec.redis.tls": {"caSecretRef": {"name": "ca"}}})
    by_config_map = pipeline({"spec.redis.tls": {"caConfigMapRef": {"name": "ca"}}})
    with pytest.raises(NoAccess, match=r"Secret ca: key ca\.crt holds no certificate"):
        access_of(by_secret.spec.redis, "n", Fetched({"ca": holder({"ca.crt": encoded(text)})}, {}))
    with pytest.raises(NoAccess, match=r"ConfigMap ca: key ca\.crt holds no certificate"):
        access_of(by_config_map.spec.redis, "n", Fetched({}, {"ca": holder({"ca.crt": text})}))


async def test_they_are_looked_at_again_within_one_full_look() -> None:
    """When the pass comes too early for them, the next one does not wait for another full look."""
    world = small()
    await world.settle()
    for due_in in (60.0, 10.0, 1.0):
        world.memory.connection.refresh_at = world.reconciler.clock() + due_in
        world.memory.planned.rests_until = 0.0
        delay = await world.reconciler(KEY)
        assert delay is not None
        assert delay <= due_in
    before = world.memory.connection.refreshed_at
    world.memory.connection.refresh_at = world.reconciler.clock()
    await world.one_pass()
    again = world.memory.connection
    assert before < again.refreshed_at
    assert again.refresh_at - again.refreshed_at <= world.reconciler.full_look
