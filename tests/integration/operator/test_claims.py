"""A claim belongs to one Redis and one cluster; one whose pipeline is gone is taken over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from tests.support.observations import pipeline
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually

from headrace.streams.connect import Target, connect
from headrace.streams.groups import Leader, ensure_groups, holder_of
from headrace.streams.keys import GroupKeys, StreamKeys
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.identity import TAKE_OVER_ANNOTATION, owner_of_pipeline, place_of
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.leader_election import LeaseLost
from headrace_operator.plan import EnsureGroup, ReleaseGroup
from headrace_operator.plan.observation import ClaimState, GroupClaim
from headrace_operator.reconcile.consumer_groups import GroupOperations, Writer
from headrace_operator.reconcile.deletion import Deletion
from headrace_operator.reconcile.memory import Connection, GroupClaims

OURS = "north"
ENSURE = EnsureGroup("delays")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    async with connect(server.target, role="control") as client:
        await client.flushall()
        yield client


@pytest.fixture
def keys() -> GroupKeys:
    return StreamKeys("flights").for_group("delays")


class Operator:
    """One leader's group operations for one pipeline."""

    def __init__(self, server: RedisServer, alive: tuple[str, ...] = (), term: int = 1) -> None:
        async def exists(namespace: str, name: str, uid: str) -> bool:
            return f"{namespace}/{name}/{uid}" in alive

        self.held = True
        self.access = Access(Target(endpoints=(server.endpoint,)))
        self.memory = GroupClaims()
        writer = Writer(self._check, lambda: Leader("lease", term), exists, lambda: OURS)
        self.redis = RedisAccess()
        self.operations = GroupOperations(self.redis, writer)

    def _check(self) -> None:
        if not self.held:
            raise LeaseLost("not the holder")

    def deletion(self) -> Deletion:
        poller, nothing = BacklogPoller(self.redis, lambda _: None), cast(Any, None)
        return Deletion(
            nothing,
            nothing,
            self.operations,
            self.redis,
            poller,
            cache=Cache(),
            patience=1,
            clock=monotonic,
        )

    async def ensure(self, subject: StreamPipeline) -> GroupClaim:
        await self.operations.carry_out(ENSURE, subject, self.access, self.memory)
        await self.redis.aclose()
        return self.memory.claims["delays"]


async def test_a_claim_of_a_pipeline_that_is_gone_is_taken_over(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys, owner="airport/renamed/uid-0", cluster=OURS)
    claim = await Operator(server).ensure(pipeline())
    assert claim.state is ClaimState.OURS
    holder = await holder_of(client, keys)
    assert holder is not None
    assert (holder.owner, holder.cluster) == (owner_of_pipeline(pipeline()), OURS)


async def test_a_claim_of_a_pipeline_that_lives_is_respected_whatever_is_annotated(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    owner = "airport/other/uid-0"
    await ensure_groups(client, keys, owner=owner, cluster=OURS)
    told = pipeline({"metadata.annotations": {TAKE_OVER_ANNOTATION: "uid-0"}})
    claim = await Operator(server, alive=(owner,)).ensure(told)
    assert (claim.state, claim.message) == (ClaimState.ANOTHER, "uid-0")


async def test_the_same_manifest_in_another_cluster_robs_nobody_unless_an_annotation_names_it(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    await ensure_groups(client, keys, owner="airport/flights/uid-0", cluster="south")
    assert (await Operator(server).ensure(pipeline())).state is ClaimState.ANOTHER
    other = pipeline({"metadata.annotations": {TAKE_OVER_ANNOTATION: "uid-9"}})
    assert (await Operator(server).ensure(other)).state is ClaimState.ANOTHER
    told = pipeline({"metadata.annotations": {TAKE_OVER_ANNOTATION: "uid-0"}})
    assert (await Operator(server).ensure(told)).state is ClaimState.OURS


async def test_a_deposed_leader_writes_nothing_in_redis(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    old = Operator(server, term=1)
    await old.ensure(pipeline())
    await Operator(server, term=2).ensure(pipeline())
    with pytest.raises(LeaseLost):
        await old.operations.carry_out(
            ReleaseGroup("delays", "delays"), pipeline(), old.access, old.memory
        )
    old.held = False
    await client.flushall()
    with pytest.raises(LeaseLost):
        await old.operations.carry_out(ENSURE, pipeline(), old.access, old.memory)
    assert await client.keys() == []
    await old.redis.aclose()


async def test_a_claim_is_given_up_although_nobody_else_uses_its_client(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    """Clients of pipelines that are gone are closed, and this pipeline is gone."""
    operator = Operator(server)
    await operator.ensure(pipeline())
    owner = owner_of_pipeline(pipeline())
    assert await client.hget(keys.state, "owner") == owner.encode()
    deletion = operator.deletion()
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    deletion.release_claims(Connection(access=operator.access, owner=owner, group_keys=(keys,)))
    for _ in range(50):
        await operator.redis.close_unused()
        await asyncio.sleep(0.01)
    server.process.send_signal(signal.SIGCONT)
    await eventually(lambda: operator.redis.recall(owner) is None)
    assert await client.hget(keys.state, "owner") is None
    await operator.redis.aclose()


@pytest.mark.parametrize("known", [True, False], ids=["gone", "gone, as a new process sees it"])
async def test_also_claims_of_groups_that_left_the_spec_are_given_up(
    client: Redis, server: RedisServer, keys: GroupKeys, *, known: bool
) -> None:
    """A pipeline may be deleted before the groups that left it are."""
    operator = Operator(server)
    owner, left = owner_of_pipeline(pipeline()), StreamKeys("flights").for_group("left")
    for one in (keys, left):
        await ensure_groups(client, one, owner=owner, cluster=OURS)
    strange = StreamKeys("flights").for_group("strange")
    await ensure_groups(client, strange, owner="airport/other/uid-0", cluster=OURS)
    await client.xgroup_create("flights", "nobodys", "0")
    if known:
        deletion = operator.deletion()
        deletion.release_claims(Connection(access=operator.access, owner=owner, group_keys=(keys,)))
        await eventually(lambda: operator.redis.recall(owner) is None)
        assert await holder_of(client, keys) is None
        assert await holder_of(client, left) is None
    else:
        assert await operator.operations.recall(pipeline(), operator.access, operator.memory)
        ours = GroupClaim(ClaimState.OURS, consumer_group="left")
        assert operator.memory.claims == {"left": ours}, "delays is in the spec"
    assert await holder_of(client, strange) is not None
    await operator.redis.aclose()


async def test_where_there_is_no_stream_nothing_is_claimed(
    client: Redis, server: RedisServer
) -> None:
    operator = Operator(server)
    await client.set("flights", "no stream")
    assert not await operator.operations.recall(pipeline(), operator.access, operator.memory)
    assert operator.memory.recalled
    await operator.redis.aclose()


async def test_the_floor_of_another_redis_skips_nothing_here(
    client: Redis, server: RedisServer, keys: GroupKeys
) -> None:
    for n in range(1, 16):
        await client.xadd(keys.stream, {"n": n}, f"{n}-0")
    status = {"groups": [{"name": "delays", "floorId": "10-0"}]}
    moved = pipeline({"status": status | {"place": "another"}})
    await Operator(server).ensure(moved)
    (group,) = await client.xinfo_groups(keys.stream)
    assert group["last-delivered-id"] == b"0-0"
    await client.xgroup_destroy(keys.stream, keys.group)
    await client.delete(keys.state)
    same = pipeline({"status": status | {"place": place_of(pipeline())}})
    await Operator(server).ensure(same)
    (group,) = await client.xinfo_groups(keys.stream)
    assert group["last-delivered-id"].startswith(b"9-")


def test_a_place_is_endpoints_database_and_mode() -> None:
    here = place_of(pipeline())
    assert here == place_of(pipeline({"spec.suspend": True}))
    assert here != place_of(pipeline({"spec.redis.database": 1}))
    assert here != place_of(pipeline({"spec.redis.endpoints": ["elsewhere:6379"]}))
