"""What one reconciliation knows before it decides: the world at one moment, frozen.

In: `observe` fills it from the caches, from Redis and from the operator's memory.
Out: `plan` reads it and nothing else, so a plan can be replayed from its observation.
Kubernetes objects stay plain dicts, exactly as the API server sends them. No secret value
enters an observation: of a Secret only its identity and the names of its keys are seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from headrace.streams.backlog import StreamBacklog
from headrace.streams.durability import Risk
from headrace_api.v1alpha1 import Reason, StreamPipeline
from headrace_operator.scaling.decide import ScalingHistory

Manifest = Mapping[str, Any]


class ChildRef(NamedTuple):
    """Names one namespaced object: `ChildRef("Deployment", "flights-delays")`."""

    kind: str
    name: str


class ClaimState(StrEnum):
    """What is known of the claim on one (stream, consumer group)."""

    OURS = "Ours"  # the group exists and is claimed by this pipeline
    ANOTHER = "Another"  # another pipeline holds it
    FAILED = "Failed"  # the last attempt failed; `message` says why


@dataclass(frozen=True, slots=True)
class GroupClaim:
    """How the last EnsureGroup for one group ended.

    `message` is why it failed; of another's claim its owner's uid. `owner` is `namespace/name`, or
    None where it must not be told. `unreachable`: Redis gave no answer at all. `consumer_group`: of
    a claim of ours, what was claimed.
    """

    state: ClaimState
    message: str = ""
    owner: str | None = None
    unreachable: bool = False
    consumer_group: str = ""


@dataclass(frozen=True, slots=True)
class SeenReference:
    """A Secret or ConfigMap of the user's, as far as a plan may know it.

    `digest` changes with its data or when it is made anew, not with its labels and annotations,
    and tells nothing of the data to whoever cannot read the object.
    """

    digest: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class References:
    """Referenced objects by name; a name that was looked for and is missing maps to None."""

    secrets: Mapping[str, SeenReference | None] = field(default_factory=dict)
    config_maps: Mapping[str, SeenReference | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another manager keeps taking back (> 3 times in 10 minutes)."""

    child: ChildRef
    field: str
    manager: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What the API server did not do in this pass or the one before; it is tried again."""

    message: str
    forbidden: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one plan is made from.

    children      every object of ours in the namespace (Deployment, ConfigMap, ServiceAccount,
                  CronJob, ReplicaSet, Job), and every object that bears the name of a wanted
                  child, ours or not. A wanted child that is not in here is known to be absent.
    pods          the pods with this pipeline's label, terminating ones included.
    backlog       the poller's newest reading, or None while nothing is known.
    is_answer     that reading was made after the plan before had asked for one.
    redis_answers the newest round of the poller behind this pipeline's access was answered.
    redis_error   why the backlog is not known, in words, without credentials; redis_refused:
                  the server answered and refused (credentials, rights), so waiting does not help.
    no_place      why the Redis that is known is not the one that the spec names now.
    claims        by group name in the spec; a group without an entry was not tried yet.
    rejections    the API server's refusal (422) of a child in the last apply, by child.
    held          Deployments whose update comes from the operator and waits for its turn.
    failures      calls to the API server that failed. unreadable: wanted children that could not
                  be looked at, so that nothing may be applied under their names.
    risk          how its server may lose the stream by itself, None where nothing is known.
    stream_bytes  memory of the stream. memory_full_in: seconds until that of its server is full,
                  at the present rate. None where they are not known.
    history       scaling history by group name, as the previous plan returned it.
    now           wall clock, Unix seconds. clock: monotonic seconds, for everything measured.
    status_written_at  `clock` of the last status write by this process, None if never.
    """

    pipeline: StreamPipeline
    children: Mapping[ChildRef, Manifest]
    now: float
    clock: float
    pods: tuple[Manifest, ...] = ()
    backlog: StreamBacklog | None = None
    is_answer: bool = True
    redis_answers: bool = True
    redis_error: str | None = None
    redis_refused: bool = False
    no_place: tuple[Reason, str] | None = None
    references: References = field(default_factory=References)
    claims: Mapping[str, GroupClaim] = field(default_factory=lambda: MappingProxyType({}))
    conflicts: tuple[FieldConflict, ...] = ()
    rejections: Mapping[ChildRef, str] = field(default_factory=lambda: MappingProxyType({}))
    held: frozenset[ChildRef] = frozenset()
    failures: tuple[Failure, ...] = ()
    unreadable: frozenset[ChildRef] = frozenset()
    risk: Risk | None = None
    stream_bytes: int | None = None
    memory_full_in: float | None = None
    history: Mapping[str, ScalingHistory] = field(default_factory=lambda: MappingProxyType({}))
    live_status: Manifest = field(default_factory=lambda: MappingProxyType({}))
    status_written_at: float | None = None
