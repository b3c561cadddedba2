"""What the operator remembers of one pipeline between two looks.

Nothing in here is needed for correctness: a restarted operator starts with an empty memory and
finds the same plan again. It spares repeated calls and carries what only time can tell.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from headrace.streams.keys import GroupKeys
from headrace_api.v1alpha1 import StreamPipelineSpec
from headrace_operator.backlog.redis_clients import Access
from headrace_operator.kube.apply_diff import Path
from headrace_operator.kube.cache import Key
from headrace_operator.plan import RenderedPipeline, Workers
from headrace_operator.plan.observation import ChildRef, Failure, GroupClaim, References
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
class Memory:
    uid: str
    born: float
    conflicts: Conflicts
    claims: dict[str, GroupClaim] = field(default_factory=dict)
    created_at: dict[str, float] = field(default_factory=dict)
    """When this process created a consumer group; a reading from before knows nothing of it."""
    rejections: dict[ChildRef, Rejection] = field(default_factory=dict)
    history: Mapping[str, ScalingHistory] = field(default_factory=dict)
    workers: tuple[Workers, ...] = ()
    rescales: Counter[tuple[str, Cause, str]] = field(default_factory=Counter)
    """Carried out: (group, cause, direction) -> times."""
    status_written_at: float | None = None
    status_writes: deque[float] = field(default_factory=deque)
    """When it was written within the last minute."""
    status_refused_at: float | None = None
    """When the API server last refused the whole status, as its schema does."""
    references: References | None = None
    access: Access | None = None
    access_error: str | None = None
    owner: str | None = None
    place: str | None = None
    """Where the claims are, see identity.place_of."""
    group_keys: tuple[GroupKeys, ...] = ()
    looked_at: float = 0.0
    look_again_at: float = 0.0
    looked_at_generation: int | None = None
    applied: dict[ChildRef, str] = field(default_factory=dict)
    """Digest of the manifest that this process applied last."""
    held: frozenset[ChildRef] = frozenset()
    """Deployments whose update waits for its turn, see `rollouts`."""
    failures: tuple[Failure, ...] = ()
    """What the API server did not do in the last pass."""
    unread: tuple[Failure, ...] = ()
    """Why referenced objects could not be read, when they were last looked at."""
    contained: dict[ChildRef, tuple[str, str]] = field(default_factory=dict)
    """resourceVersion and the digest of the manifest for which nothing differed."""
    spec: tuple[int, StreamPipelineSpec] | None = None
    """The spec as it was parsed for a generation."""
    rendered: RenderedPipeline | None = None
    unsettled: dict[ChildRef, tuple[str, frozenset[Path]]] = field(default_factory=dict)
    """Digest of a manifest, and the fields that differ even right after it was applied: the API
    server stores them otherwise."""
    looks_after_change: int = 0
    planned_at: float = -inf
    rests_until: float = 0.0
    pods_awaited_since: float | None = None
    """When a deletion began to wait for pods, and for Redis; on the operator's clock."""
    redis_awaited_since: float | None = None


class Memories:
    """One Memory per pipeline; a pipeline that was made anew under its name starts empty."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._memories: dict[Key, Memory] = {}

    def of(self, key: Key, uid: str) -> Memory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != uid:
            memory = self._memories[key] = Memory(uid, self._clock(), Conflicts(self._clock))
        return memory

    def last(self, key: Key) -> Memory | None:
        """The memory of a pipeline that may be gone."""
        return self._memories.get(key)

    def __iter__(self) -> Iterator[tuple[Key, Memory]]:
        return iter(self._memories.items())

    def forget(self, key: Key) -> None:
        self._memories.pop(key, None)
