"""What the operator remembers of one pipeline between two passes.

Nothing in here is needed for correctness: a restarted operator starts with an empty memory and
finds the same plan again. It spares repeated calls and carries what only time can tell.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from headrace.streams.keys import GroupKeys
from headrace_api.v1alpha1 import Redis, StreamPipelineSpec
from headrace_operator.backlog.redis_clients import Access
from headrace_operator.kube.apply_diff import Path
from headrace_operator.kube.cache import Key
from headrace_operator.plan import RenderedPipeline, Workers
from headrace_operator.plan.observation import ChildRef, Failure, GroupClaim, References
from headrace_operator.plan.place import NoPlace
from headrace_operator.reconcile.conflicts import Conflicts
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import ScalingHistory


@dataclass(frozen=True, slots=True)
class Rejection:
    """The API server's refusal of a child; the same manifest is not sent again at once."""

    message: str
    manifest: Mapping[str, object]
    at: float


@dataclass(slots=True)
class Connection:
    """The referenced objects and the way to Redis, as last looked at. Written by `connect`."""

    references: References | None = None
    unread: tuple[Failure, ...] = ()
    """Why referenced objects could not be read."""
    redis: Redis | None = None
    """`spec.redis` with the place filled in; the last that was known."""
    named: Redis | None = None
    """What spec or RedisConnection said when it was looked at."""
    no_place: NoPlace | None = None
    """Why `redis` is not what the spec asks for, or is None."""
    access: Access | None = None
    access_error: str | None = None
    owner: str | None = None
    place: str | None = None
    """Where the claims are, see identity.place_of."""
    group_keys: tuple[GroupKeys, ...] = ()
    refreshed_at: float = 0.0
    refresh_at: float = 0.0
    refreshed_generation: int | None = None


@dataclass(slots=True)
class GroupClaims:
    """What became of the consumer groups there. Written by `consumer_groups`."""

    claims: dict[str, GroupClaim] = field(default_factory=dict)
    created_at: dict[str, float] = field(default_factory=dict)
    """When this process created a consumer group; a reading from before knows nothing of it."""
    recalled: bool = False
    """Redis was asked what an earlier process had claimed."""

    def move(self) -> None:
        """Another Redis: what was claimed and learned there says nothing of here."""
        self.claims.clear()
        self.recalled = False


@dataclass(slots=True)
class AppliedChildren:
    """What the API server did with the children. Written by `apply`."""

    conflicts: Conflicts
    digests: dict[ChildRef, str] = field(default_factory=dict)
    """Digest of the manifest that this process applied last."""
    contained: dict[ChildRef, tuple[str, str]] = field(default_factory=dict)
    """resourceVersion and the digest of the manifest for which nothing differed."""
    unsettled: dict[ChildRef, tuple[str, frozenset[Path]]] = field(default_factory=dict)
    """Digest of a manifest, and the fields that differ even right after it was applied: the API
    server stores them otherwise."""
    rejections: dict[ChildRef, Rejection] = field(default_factory=dict)
    held: frozenset[ChildRef] = frozenset()
    """Deployments whose update waits for its turn, see `rollouts`."""
    failures: tuple[Failure, ...] = ()
    """What the API server did not do in the last pass."""


@dataclass(slots=True)
class Planned:
    """What plans were made from and what they decided. Written by `reconciler`."""

    spec: tuple[int, StreamPipelineSpec] | None = None
    """The spec as it was parsed for a generation."""
    placed: StreamPipelineSpec | None = None
    """The same with the place of its Redis filled in, as `rendered` is made from it."""
    rendered: RenderedPipeline | None = None
    planned_at: float = -inf
    rests_until: float = 0.0
    asked_at: float | None = None
    """Since when a plan waits for a newer reading of the backlog, monotonic seconds."""
    history: Mapping[str, ScalingHistory] = field(default_factory=dict)
    workers: tuple[Workers, ...] = ()
    rescales: Counter[tuple[str, Cause, str]] = field(default_factory=Counter)
    """Carried out: (group, cause, direction) -> times."""


@dataclass(slots=True)
class StatusWrites:
    """When the status was written, refused and postponed. Written by `status_writer`."""

    written_at: float | None = None
    within_a_minute: deque[float] = field(default_factory=deque)
    """When it was written within the last minute."""
    refused_at: float | None = None
    """When the API server last refused the whole status, as its schema does."""
    figures_at: float | None = None
    """When figures that wait for the fleet's limit have their turn, on the operator's clock."""
    postponed: int = 0
    """How many times in a row, because a pass had changed something."""


@dataclass(slots=True)
class DeletionWaits:
    """When a deletion began to wait, on the operator's clock. Written by `deletion`."""

    pods_since: float | None = None
    redis_since: float | None = None


@dataclass(slots=True)
class Memory:
    """One part for each module that writes; the others read, or get the part that they need.

    `born`: when this process first saw the pipeline, on the operator's clock.
    """

    uid: str
    born: float
    applied: AppliedChildren
    connection: Connection = field(default_factory=Connection)
    groups: GroupClaims = field(default_factory=GroupClaims)
    planned: Planned = field(default_factory=Planned)
    status: StatusWrites = field(default_factory=StatusWrites)
    deletion: DeletionWaits = field(default_factory=DeletionWaits)

    @classmethod
    def empty(cls, uid: str, clock: Callable[[], float]) -> Memory:
        """Of a pipeline seen for the first time. `clock`: monotonic seconds."""
        return cls(uid, clock(), AppliedChildren(Conflicts(clock)))


class Memories:
    """One Memory per pipeline; a pipeline that was made anew under its name starts empty."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._memories: dict[Key, Memory] = {}

    def of(self, key: Key, uid: str) -> Memory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != uid:
            memory = self._memories[key] = Memory.empty(uid, self._clock)
        return memory

    def last(self, key: Key) -> Memory | None:
        """The memory of a pipeline that may be gone."""
        return self._memories.get(key)

    def __iter__(self) -> Iterator[tuple[Key, Memory]]:
        return iter(self._memories.items())

    def forget(self, key: Key) -> None:
        self._memories.pop(key, None)
