"""Carries out a plan's operations on consumer groups: create and claim, release, destroy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import redis.exceptions

from headrace.streams.connect import NotImplementedMode
from headrace.streams.groups import (
    NotAStream,
    OwnedByAnother,
    destroy_group,
    ensure_groups,
    release,
)
from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace_api.v1alpha1 import Group, StreamPipeline
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.plan import DestroyGroup, EnsureGroup, GroupOperation, ReleaseGroup
from headrace_operator.plan.observation import ClaimState, GroupClaim
from headrace_operator.reconcile.memory import Memory

log = logging.getLogger(__name__)

REDIS_TROUBLE = (redis.exceptions.RedisError, OSError, TimeoutError)


class RedisTrouble(Exception):
    """Redis did not do what was asked; the sentence says what it answered."""


def owner_of(namespace: str, name: str, uid: str) -> str:
    """What stands in Redis as the owner of a pipeline's groups."""
    return f"{namespace}/{name}/{uid}"


class GroupOperations:
    """`guard` raises when this process must not write any more."""

    def __init__(self, redis: RedisAccess, guard: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._guard = guard

    async def carry_out(
        self, operation: GroupOperation, pipeline: StreamPipeline, memory: Memory
    ) -> bool:
        """True: done. False: not done; for EnsureGroup the claim in the memory says why."""
        stream = StreamKeys(pipeline.spec.stream.name)
        owner = owner_of(pipeline.namespace, pipeline.name, pipeline.metadata.uid)
        if memory.access is None:
            return False
        self._guard()
        if isinstance(operation, EnsureGroup):
            group = next(g for g in pipeline.spec.groups if g.name == operation.group)
            claim = await self._ensure(stream, group, pipeline, owner, memory.access)
            memory.claims[group.name] = claim
            return claim.state is ClaimState.OURS
        memory.claims.pop(operation.group, None)
        try:
            keys = stream.for_group(operation.consumer_group)
            await self._give_up(operation, keys, owner, memory.access)
        except RedisTrouble as error:
            log.warning("%s of group %s failed: %s", type(operation).__name__, keys.group, error)
            return False
        return True

    async def release(self, access: Access, keys: GroupKeys, owner: str) -> None:
        """Give up the claim; the group and its data stay. Raises RedisTrouble."""
        await self._give_up(ReleaseGroup(keys.group, keys.group), keys, owner, access)

    async def destroy(self, access: Access, keys: GroupKeys, owner: str) -> None:
        """Drop the group and its keys, if they are the owner's. Raises RedisTrouble."""
        await self._give_up(DestroyGroup(keys.group, keys.group), keys, owner, access)

    async def _give_up(
        self,
        operation: ReleaseGroup | DestroyGroup,
        keys: GroupKeys,
        owner: str,
        access: Access,
    ) -> None:
        self._guard()
        try:
            client = self._redis.client(access)
            if isinstance(operation, ReleaseGroup):
                await release(client, keys, owner)
            else:
                await destroy_group(client, keys, owner)
        except (*REDIS_TROUBLE, NotImplementedMode) as error:
            raise RedisTrouble(in_words(error, access)) from error

    async def _ensure(
        self,
        stream: StreamKeys,
        group: Group,
        pipeline: StreamPipeline,
        owner: str,
        access: Access,
    ) -> GroupClaim:
        metadata = pipeline.metadata
        same_name = owner_of(metadata.namespace, metadata.name, "")
        arguments: dict[str, Any] = {"owner": owner, "checkpoint": _floor(pipeline, group)}
        try:
            keys = stream.for_group(group.consumer_group_name)
            client = self._redis.client(access)
            try:
                await ensure_groups(client, keys, group.start.redis_id, **arguments)
            except OwnedByAnother as error:
                if not error.owner.startswith(same_name):
                    raise
                # An earlier resource of this very name: deleted and made anew, or restored.
                await release(client, keys, error.owner)
                await ensure_groups(client, keys, group.start.redis_id, **arguments)
        except OwnedByAnother as error:
            namespace, name, *_ = error.owner.split("/")
            # The name of another tenant's pipeline is not ours to tell.
            known = f"{namespace}/{name}" if namespace == metadata.namespace else None
            return GroupClaim(ClaimState.ANOTHER, str(error) if known else "", known)
        except (NotAStream, UnusableName) as error:
            return GroupClaim(ClaimState.FAILED, str(error))
        except (*REDIS_TROUBLE, NotImplementedMode) as error:
            refused = isinstance(error, (redis.exceptions.ResponseError, NotImplementedMode))
            refused |= isinstance(error, redis.exceptions.AuthenticationError)
            return GroupClaim(ClaimState.FAILED, in_words(error, access), unreachable=not refused)
        return GroupClaim(ClaimState.OURS)


def in_words(error: BaseException, access: Access) -> str:
    """What Redis answered, for people. Replies and addresses only: never a credential."""
    text = " ".join(str(error).split()) or type(error).__name__
    return f"Redis at {access.endpoint}: {text}"[:500]


def _floor(pipeline: StreamPipeline, group: Group) -> str | None:
    if pipeline.status is None:
        return None
    for seen in pipeline.status.groups:
        if seen.name == group.name:
            return seen.floor_id
    return None
