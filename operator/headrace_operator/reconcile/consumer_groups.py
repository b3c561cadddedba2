"""Carries out a plan's operations on consumer groups: create and claim, release, destroy."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams import refusals
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.groups import (
    Deposed,
    GroupState,
    Leader,
    NotAStream,
    OwnedByAnother,
    claimed_by,
    destroy_group,
    ensure_groups,
    release,
)
from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace_api.v1alpha1 import Group, StreamPipeline
from headrace_operator.backlog import redis_errors
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.identity import TAKE_OVER_ANNOTATION, owner_of_pipeline, place_of
from headrace_operator.kube.leader_election import LeaseLost
from headrace_operator.plan import EnsureGroup, GroupOperation, ReleaseGroup
from headrace_operator.plan.observation import ClaimState, GroupClaim
from headrace_operator.reconcile.memory import GroupClaims

logger = logging.getLogger(__name__)


class RedisTrouble(Exception):
    """Redis did not do what was asked; the sentence says what it answered."""


@dataclass(frozen=True, slots=True)
class Writer:
    """On whose behalf this process writes to Redis.

    `cluster`: its uid, "" where it may not be read; groups of pipelines that are gone are then left
    to people. `check` raises LeaseLost unless this process may write now. `leader` is what Redis
    compares. `exists`: whether a pipeline (namespace, name, uid) lives in this cluster; True where
    that cannot be seen.
    """

    check: Callable[[], None]
    leader: Callable[[], Leader | None]
    exists: Callable[[str, str, str], Awaitable[bool]]
    cluster: Callable[[], str]


async def _may_exist(*_: str) -> bool:
    return True


# One process without a Lease, in a cluster that it does not know.
ALONE = Writer(lambda: None, lambda: None, _may_exist, lambda: "")


class GroupOperations:
    def __init__(self, redis: RedisAccess, writer: Writer) -> None:
        self._redis = redis
        self._writer = writer

    async def carry_out(
        self,
        operation: GroupOperation,
        pipeline: StreamPipeline,
        access: Access,
        memory: GroupClaims,
    ) -> bool:
        """True: done. False: not done; for EnsureGroup the claim in the memory says why.

        Raises LeaseLost.
        """
        stream = StreamKeys(pipeline.spec.stream.name)
        self._writer.check()
        if isinstance(operation, EnsureGroup):
            group = next(g for g in pipeline.spec.groups if g.name == operation.group)
            claim = await self._ensure(stream, group, pipeline, access, memory)
            memory.claims[group.name] = claim
            return claim.state is ClaimState.OURS
        owner = owner_of_pipeline(pipeline)
        try:
            keys = stream.for_group(operation.consumer_group)
            if isinstance(operation, ReleaseGroup):
                await self.release(access, keys, owner)
            else:
                await self.destroy(access, keys, owner)
        except RedisTrouble as error:
            name = type(operation).__name__
            logger.warning("%s of group %s failed: %s", name, operation.consumer_group, error)
            return False
        except UnusableName:
            pass  # nothing can exist under such a name
        memory.claims.pop(operation.group, None)
        return True

    async def release(self, access: Access, keys: GroupKeys, owner: str) -> None:
        """Give up the claim; the group and its data stay. Raises RedisTrouble, LeaseLost."""
        await self._write(release, access, keys, owner)

    async def destroy(self, access: Access, keys: GroupKeys, owner: str) -> None:
        """Drop the group and its keys, if they are the owner's. Raises RedisTrouble, LeaseLost."""
        await self._write(destroy_group, access, keys, owner)

    async def claimed(self, access: Access, stream: str, owner: str) -> list[GroupKeys]:
        """What Redis says that the owner has claimed. Raises RedisTrouble."""
        try:
            return await claimed_by(await self._redis.client(access, stream), stream, owner)
        except REDIS_ERRORS as error:
            raise RedisTrouble(_problem(error, access)) from error

    async def recall(self, pipeline: StreamPipeline, access: Access, memory: GroupClaims) -> bool:
        """Remember what an earlier process claimed for groups that left the spec since. True: there
        are some. Asked once; again after a failure."""
        try:
            stream = pipeline.spec.stream.name
            claimed = await self.claimed(access, stream, owner_of_pipeline(pipeline))
        except RedisTrouble as error:
            logger.warning("the claims of %s are not known yet: %s", pipeline.key, error)
            return False
        memory.recalled = True
        named = {group.consumer_group_name for group in pipeline.spec.groups}
        named |= {claim.consumer_group for claim in memory.claims.values()}
        left = {keys.group for keys in claimed} - named - memory.claims.keys()
        memory.claims |= {
            group: GroupClaim(ClaimState.OURS, consumer_group=group) for group in sorted(left)
        }
        return bool(left)

    async def _write(
        self, act: Callable[..., Awaitable[bool]], access: Access, keys: GroupKeys, owner: str
    ) -> None:
        self._writer.check()
        try:
            client = await self._redis.client(access, keys.stream)
            await act(client, keys, owner, leader=self._writer.leader())
        except Deposed as error:
            raise LeaseLost(str(error)) from error
        except REDIS_ERRORS as error:
            raise RedisTrouble(_problem(error, access)) from error

    async def _ensure(
        self,
        stream: StreamKeys,
        group: Group,
        pipeline: StreamPipeline,
        access: Access,
        memory: GroupClaims,
    ) -> GroupClaim:
        try:
            keys = stream.for_group(group.consumer_group_name)
            client = await self._redis.client(access, keys.stream)
            try:
                state = await self._claim(client, keys, group, pipeline)
            except OwnedByAnother as error:
                if not await self._may_take_over(error, pipeline):
                    raise
                logger.info("group %s is taken over from %s", keys.group, error.owner)
                state = await self._claim(client, keys, group, pipeline, error.owner)
        except OwnedByAnother as error:
            namespace, name, uid = _parts(error.owner)
            # The name of another tenant's pipeline is not ours to tell.
            known = f"{namespace}/{name}" if namespace == pipeline.namespace else None
            return GroupClaim(ClaimState.ANOTHER, uid, known)
        except Deposed as error:
            raise LeaseLost(str(error)) from error
        except (NotAStream, UnusableName) as error:
            return GroupClaim(ClaimState.FAILED, str(error))
        except REDIS_ERRORS as error:
            unreachable = not redis_errors.is_refusal(error)
            return GroupClaim(ClaimState.FAILED, _problem(error, access), unreachable=unreachable)
        if state.created:
            memory.created_at[keys.group] = time.monotonic()
        return GroupClaim(ClaimState.OURS, consumer_group=keys.group)

    async def _claim(
        self,
        client: Redis,
        keys: GroupKeys,
        group: Group,
        pipeline: StreamPipeline,
        former_owner: str | None = None,
    ) -> GroupState:
        self._writer.check()
        return await ensure_groups(
            client,
            keys,
            group.start.redis_id,
            owner=owner_of_pipeline(pipeline),
            cluster=self._writer.cluster(),
            leader=self._writer.leader(),
            former_owner=former_owner,
            checkpoint=_floor(pipeline, group),
        )

    async def _may_take_over(self, held: OwnedByAnother, pipeline: StreamPipeline) -> bool:
        """An owner that is gone from this cluster has abandoned the group. One of another cluster
        is respected, unless an annotation names it."""
        namespace, name, uid = _parts(held.owner)
        same_name = (namespace, name) == (pipeline.namespace, pipeline.name)
        ours = self._writer.cluster()
        asked = pipeline.metadata.annotations.get(TAKE_OVER_ANNOTATION) == uid
        if held.cluster and held.cluster != ours:
            return asked and bool(ours)
        # Claimed before the claim named its cluster, or where that may not be read.
        if not (held.cluster or same_name or asked):
            return False
        return not await self._writer.exists(namespace, name, uid)


def _parts(owner: str) -> tuple[str, str, str]:
    namespace, _, rest = owner.partition("/")
    name, _, uid = rest.partition("/")
    return namespace, name, uid


def _problem(error: BaseException, access: Access) -> str:
    """What is wrong, for people; the log knows more."""
    logger.info("Redis at %s: %s", access.endpoint, refusals.describe(error))
    return f"Redis at {access.endpoint}: {redis_errors.for_people(error)}"[:500]


def _floor(pipeline: StreamPipeline, group: Group) -> str | None:
    """What the status remembers of this very Redis; an id of another one would skip entries."""
    if pipeline.status is None or pipeline.status.place != place_of(pipeline):
        return None
    for status in pipeline.status.groups:
        if status.name == group.name:
            return status.floor_id
    return None
