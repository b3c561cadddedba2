"""What a plan consists of: data that `apply` carries out, in the order of `Plan`'s fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from headrace_operator.plan.observation import ChildRef
from headrace_operator.plan.worker_defaults import WorkerDefaults
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.decide import ScalingHistory


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The operator's own settings that shape children."""

    worker_image: str
    worker_defaults: WorkerDefaults = field(default_factory=WorkerDefaults)


class Rendered(NamedTuple):
    """A manifest and a digest of all of it. Plans share manifests: copy what you change."""

    manifest: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> Rendered:
        text = json.dumps(manifest, separators=(",", ":"))
        return cls(manifest, hashlib.sha256(text.encode()).hexdigest()[:16])

    def with_spec(self, **fields: Any) -> Rendered:
        """The same with these fields of the spec added or replaced."""
        manifest = {**self.manifest, "spec": {**self.manifest["spec"], **fields}}
        return Rendered(manifest, f"{self.digest} {fields}")

    def with_annotation(self, name: str, value: str) -> Rendered:
        metadata = self.manifest["metadata"]
        annotations = {**metadata["annotations"], name: value}
        manifest = {**self.manifest, "metadata": {**metadata, "annotations": annotations}}
        return Rendered(manifest, f"{self.digest} {name}={value}")

    @property
    def ref(self) -> ChildRef:
        return ChildRef(self.manifest["kind"], self.manifest["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply `manifest` by field manager `headrace`, forced.

    `uid` and `resource_version` are those of the observed object and go into the request's
    metadata; both are None when the child was seen to be absent (look again with a live GET
    before creating: apply would take over a stranger's object of that name).
    `manifest` never holds uid or resourceVersion itself. Equal digests mean equal manifests.
    """

    manifest: dict[str, Any]
    digest: str
    uid: str | None = None
    resource_version: str | None = None

    @property
    def ref(self) -> ChildRef:
        return ChildRef(self.manifest["kind"], self.manifest["metadata"]["name"])

    @property
    def request(self) -> dict[str, Any]:
        """The manifest as it is sent: only the object that was observed is changed."""
        if self.uid is None:
            return self.manifest
        preconditions = {"uid": self.uid, "resourceVersion": self.resource_version}
        return {**self.manifest, "metadata": {**self.manifest["metadata"], **preconditions}}


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete with preconditions `uid` and `resource_version`: only as it was seen. Propagation
    Background.

    With `after_group` set, only if this plan's operation on that group succeeded.
    """

    ref: ChildRef
    uid: str
    resource_version: str
    after_group: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Forced apply of a Deployment's /scale with `replicas` by field manager `manager`.

    Carries the observed uid and resourceVersion, so the Deployment itself is not applied in the
    same plan; the change of its managedFields brings the next one.
    """

    deployment: str
    replicas: int
    manager: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class ScaleIn:
    """The Deployment is about to lose `surplus` of `pods`, the first of equals; see `victims`."""

    group: str
    consumer_group: str
    deployment: str
    pods: tuple[str, ...]
    surplus: int
    marked: frozenset[str] = frozenset()  # pods that carry a deletion cost from earlier


@dataclass(frozen=True, slots=True)
class EnsureGroup:
    """Create the consumer group where it is missing and claim it; fills Observation.claims."""

    group: str


@dataclass(frozen=True, slots=True)
class ReleaseGroup:
    """The group left the spec under Retain: give up the claim, keep group and keys."""

    group: str
    consumer_group: str


@dataclass(frozen=True, slots=True)
class DestroyGroup:
    """The group left the spec under Delete: XGROUP DESTROY and the per-group keys."""

    group: str
    consumer_group: str


GroupOperation = EnsureGroup | ReleaseGroup | DestroyGroup


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event on the pipeline. `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Rescale:
    """A group's number of workers changes. Emitted as an Event and counted only after `child`
    was applied.
    """

    group: str
    child: ChildRef
    before: int
    after: int
    cause: Cause
    reason: str

    @property
    def direction(self) -> str:
        return "up" if self.after > self.before else "down"

    @property
    def event(self) -> Event:
        message = f"{self.group}: {self.before} to {self.after} workers: {self.reason}"
        return Event("Normal", "Scaled", message)


@dataclass(frozen=True, slots=True)
class Workers:
    """One group's workers as this plan saw them, for metrics. `cause`: None in External.

    wanted: what the Deployment asks for. running: pods that run or start. ready: of these.
    """

    group: str
    consumer_group: str
    wanted: int
    running: int
    ready: int
    max_replicas: int | None
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Carried out in this order; every later step is safe when an earlier one crashed.

    group_operations  first; their outcome enters the next observation (requeue at once)
    scale_ins         write pod-deletion-cost on `victims(...)` before the applies
    scales            replicas of External handed over, or 0 for a group that left the spec
    applies           every wanted child; `apply` skips what the live object already contains
    deletes           last
    status            the whole wanted status
    status_due        None: not worth a write; else seconds until it is (0.0: now)
    only_figures      the status brings nothing but numbers that moved: the fleet's limit counts
    asks_again        Redis is asked for a newer reading, which brings the next plan
    requeue_after     seconds until this key must be looked at again, None: only on a change
    events            emitted when the status is written: they are about its changes
    rescales          the changes of replicas among the applies
    history           goes into the next observation
    workers           in the order of the spec, for metrics
    """

    group_operations: tuple[GroupOperation, ...] = ()
    scale_ins: tuple[ScaleIn, ...] = ()
    scales: tuple[Scale, ...] = ()
    applies: tuple[Apply, ...] = ()
    deletes: tuple[Delete, ...] = ()
    status: dict[str, Any] = field(default_factory=dict)
    status_due: float | None = None
    only_figures: bool = False
    asks_again: bool = False
    requeue_after: float | None = None
    events: tuple[Event, ...] = ()
    rescales: tuple[Rescale, ...] = ()
    history: Mapping[str, ScalingHistory] = field(default_factory=dict)
    workers: tuple[Workers, ...] = ()
