"""What an upgrade of the operator, or a new default image, changes reaches the fleet in stages.

A change of a spec rolls its workers at once. A change that nobody wrote into a spec rolls a few
Deployments at a time; the next begins some seconds after one of them is ready, and none while one
of them does not become ready. So a broken image stops at the first few.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from headrace_operator import metrics
from headrace_operator.kube.cache import Key
from headrace_operator.plan.deployment import PROGRESS_DEADLINE_SECONDS, SPEC_HASH_ANNOTATION
from headrace_operator.plan.observation import Manifest, Observation
from headrace_operator.plan.references import ANNOTATION as REFERENCES

logger = logging.getLogger(__name__)

# A Deployment whose roll-out has taken so long has failed, whatever its conditions say.
LONGEST_SECONDS = 2.5 * PROGRESS_DEADLINE_SECONDS
# Whoever does not take its turn within this time goes to the end of the queue.
UNUSED_SECONDS = 10.0


class Place(NamedTuple):
    """A Deployment of a pipeline."""

    key: Key
    deployment: str


@dataclass(slots=True)
class _Rollout:
    """`ready_at`: since when it is complete; its place is free after the pause."""

    began_at: float
    seen_at: float
    ready_at: float | None = None
    failed: bool = False


class Rollouts:
    """Of the whole fleet. `max_concurrent` 0 stops all; `wake` is called with a pipeline whose
    turn has come."""

    def __init__(
        self,
        *,
        max_concurrent: int,
        pause_seconds: float,
        wake: Callable[[Key], None],
        clock: Callable[[], float],
    ) -> None:
        self._max_concurrent = max_concurrent
        self._pause_seconds = pause_seconds
        self._wake = wake
        self._clock = clock
        self._running: dict[Place, _Rollout] = {}
        self._waiting: dict[Place, float | None] = {}  # in their order; when each was woken
        metrics.ROLLOUTS.labels("running").set_function(lambda: len(self._running))
        metrics.ROLLOUTS.labels("waiting").set_function(lambda: len(self._waiting))
        metrics.ROLLOUTS.labels("failed").set_function(
            lambda: sum(one.failed for one in self._running.values())
        )

    def may_begin(self, place: Place) -> bool:
        """Whether it is this Deployment's turn, which it then has; else it waits for it."""
        if place in self._running:
            return True
        self.go_on()
        ahead = next((n for n, one in enumerate(self._waiting) if one == place), len(self._waiting))
        if self._stopped or ahead >= self._max_concurrent - len(self._running):
            self._waiting.setdefault(place, None)
            return False
        self._waiting.pop(place, None)
        self._running[place] = _Rollout(self._clock(), self._clock())
        return True

    def observe(self, place: Place, live: Manifest) -> None:
        """Note how a Deployment does that may be rolling out."""
        rollout = self._running.get(place)
        if rollout is None:
            return
        rollout.seen_at = self._clock()
        if not _is_complete(live):
            failed = _has_failed(live) or self._clock() - rollout.began_at > LONGEST_SECONDS
            if failed and not rollout.failed:
                logger.error(
                    "the update of the fleet stops: workers of %s do not become ready with it",
                    place.deployment,
                    extra={"pipeline": place.key},
                )
            rollout.ready_at, rollout.failed = None, failed
        elif rollout.ready_at is None:
            rollout.failed = False
            # Nothing was tried where no worker runs.
            idle = not (live.get("spec") or {}).get("replicas", 1)
            rollout.ready_at = self._clock() - (self._pause_seconds if idle else 0)

    @property
    def _stopped(self) -> bool:
        return any(one.failed for one in self._running.values())

    def settle(self, place: Place) -> None:
        """Its Deployment waits for no turn: it is as wanted, or its spec has changed."""
        self._waiting.pop(place, None)

    def forget(self, key: Key) -> None:
        """The pipeline is gone."""
        for places in (self._running, self._waiting):
            for place in [one for one in places if one.key == key]:
                del places[place]

    def go_on(self) -> None:
        """Free the places of those that are ready, and wake who comes next."""
        now = self._clock()
        for place, one in list(self._running.items()):
            is_over = one.ready_at is not None and now - one.ready_at >= self._pause_seconds
            if is_over or now - one.seen_at > LONGEST_SECONDS:  # or its group has left the spec
                del self._running[place]
        if self._stopped:
            return
        free = self._max_concurrent - len(self._running)
        for place in list(self._waiting)[: max(free, 0)]:
            woken_at = self._waiting[place]
            if woken_at is None:
                self._waiting[place] = now
                self._wake(place.key)
            elif now - woken_at > UNUSED_SECONDS:
                del self._waiting[place]
                self._waiting[place] = None


def comes_from_the_operator(live: Manifest, wanted: Manifest, observation: Observation) -> bool:
    """Other pods are wanted, and neither the spec nor an object that it names has changed."""
    reported = observation.live_status.get("observedGeneration", -1)
    made_from = _annotation(live, SPEC_HASH_ANNOTATION)
    return (
        made_from not in (None, _annotation(wanted, SPEC_HASH_ANNOTATION))
        and reported == observation.pipeline.metadata.generation
        and _annotation(_template(live), REFERENCES) == _annotation(_template(wanted), REFERENCES)
    )


def _is_complete(live: Manifest) -> bool:
    status, spec = live.get("status") or {}, live["spec"]
    replicas = spec.get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
        and status.get("replicas", 0) == status.get("updatedReplicas", 0) == replicas
        and status.get("availableReplicas", 0) >= replicas
    )


def _has_failed(live: Manifest) -> bool:
    return any(
        condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in (live.get("status") or {}).get("conditions") or ()
    )


def _template(deployment: Manifest) -> Manifest:
    template: Manifest = deployment["spec"]["template"]
    return template


def _annotation(one: Manifest, name: str) -> str | None:
    found = ((one.get("metadata") or {}).get("annotations") or {}).get(name)
    return None if found is None else str(found)
