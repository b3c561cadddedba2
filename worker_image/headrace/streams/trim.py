"""Trimming a stream without taking from a group what it still needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis.asyncio import Redis


class Policy(StrEnum):
    SAFE = "Safe"
    FORCE = "Force"


class IdsAreNoClock(Exception):
    """maxAge was asked for a stream whose ids are not milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class TrimResult:
    """`removed` entries. `floor`: the lowest id still needed (None: no group, or Force).

    `held_back_by`: the group that keeps entries beyond the limit, or whose absence stopped the
    trim. `reason` says in words why anything was kept; empty when the limits are met.
    """

    removed: int
    floor: str | None
    held_back_by: str | None = None
    reason: str = ""
    length: int = 0


async def trim(
    client: Redis,
    stream: str,
    groups: Sequence[str],
    *,
    policy: Policy = Policy.SAFE,
    max_length: int | None = None,
    max_age_ms: int | None = None,
    ignore_groups: Sequence[str] = (),
) -> TrimResult:
    """Trim in slices until the limits or the floor of all groups are reached.

    `groups` are the pipeline's own Redis groups: if one is missing, nothing is trimmed.
    Raises IdsAreNoClock, redis errors.
    """
    raise NotImplementedError
