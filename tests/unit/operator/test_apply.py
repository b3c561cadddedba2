"""What the applier remembers of a child between two passes."""

import pytest
from bench.operator.passes import World, small

from headrace_operator.plan import Apply
from headrace_operator.plan.observation import ChildRef
from headrace_operator.plan.pipeline import RETRY_SECONDS
from headrace_operator.reconcile.applied_children import (
    RETRY_REJECTED_SECONDS,
    remember_applied,
    remember_rejection,
    to_put_right,
    was_rejected,
)
from headrace_operator.reconcile.memory import AppliedChildren, Memory, Rejection

RECLAIM = ChildRef("CronJob", "flights-delays-reclaim")
NAME = {"name": "flights-delays"}


async def settled_world() -> World:
    world = small()
    await world.settle()
    return world


async def test_the_refusal_of_a_manifest_that_was_taken_back_is_forgotten() -> None:
    """The live child never changed, so nothing is sent that could be accepted."""
    world = await settled_world()
    world.memory.applied.rejections[RECLAIM] = Rejection("requests over limits", {}, 0.0)
    await world.one_pass()
    assert world.memory.applied.rejections == {}


def knows_nothing() -> AppliedChildren:
    return Memory.empty("uid", lambda: 0.0).applied


def config(value: str, digest: str = "one") -> Apply:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": NAME, "data": {"a": value}}
    return Apply(manifest, digest)


@pytest.mark.parametrize(
    ("seconds", "value", "waits"),
    [(0, "1", True), (RETRY_REJECTED_SECONDS, "1", False), (0, "2", False)],
)
def test_a_refused_manifest_is_not_sent_again_at_once(
    seconds: float, value: str, waits: bool
) -> None:
    known = knows_nothing()
    remember_rejection(config("1"), "no", known, 10.0)
    assert was_rejected(config(value), known, 10.0 + seconds) is waits


def test_what_a_quota_refused_is_sent_again_at_the_next_look() -> None:
    assert RETRY_REJECTED_SECONDS < RETRY_SECONDS < 10


def test_the_same_refusal_is_no_change() -> None:
    known = knows_nothing()
    refusals = [remember_rejection(config("1"), text, known, 0.0) for text in ("no", "no", "never")]
    assert refusals == [True, False, True]


def test_a_field_that_the_api_server_stores_otherwise_is_sent_once() -> None:
    known, wanted = knows_nothing(), config("1")
    live = {**wanted.manifest, "metadata": {**NAME, "resourceVersion": "2"}, "data": {"a": "one"}}
    found = to_put_right(wanted, live, known)
    assert [str(one) for one in found] == ["data.a"]
    remember_applied(wanted, found, live, known)
    assert to_put_right(wanted, live, known) == []
    other = {**live, "metadata": {**NAME, "resourceVersion": "3"}, "data": {"a": "one"}}
    assert to_put_right(config("2", "two"), other, known), "another manifest is another matter"


def test_a_request_names_the_object_that_was_observed() -> None:
    new = config("1")
    assert new.request == new.manifest
    seen = Apply(new.manifest, new.digest, uid="u", resource_version="7")
    assert seen.request["metadata"] == {**NAME, "uid": "u", "resourceVersion": "7"}
    assert "uid" not in new.manifest["metadata"]
