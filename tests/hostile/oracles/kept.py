"""What nobody deleted stays: an edit is put right in place, and never by making a child anew or
by ending workers that nobody asked to end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from headrace_api.names import deployment_name
from headrace_operator.kube.kinds import DEPLOYMENT, STREAM_PIPELINE
from tests.hostile.oracles import Violation
from tests.hostile.oracles.end_state import controller
from tests.hostile.world import World

TO_ZERO = re.compile(r"\.spec\.replicas: [1-9]\d* -> 0\b")
FIXED_SECONDS = 10.0
"""Workers of a group that has been Fixed for so long do not end for what the spec said before."""


class Kept:
    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[str, str] = {}
        self._fixed_since: dict[str, float] | None = None
        self._looked = time.monotonic()

    def sample(self) -> Iterator[Violation]:
        """Until something is done that deletes; from then on a new Deployment proves nothing."""
        if self._world.something_was_deleted:
            return
        yield from self._workers()
        now = self._deployments()
        for name, uid in self._before.items():
            if now.get(name) != uid:
                what = "is gone" if name not in now else "was made anew"
                yield Violation("kept", f"Deployment {name} {what}, and nobody had deleted it")
        self._before = now

    def _deployments(self) -> dict[str, str]:
        seen, namespace = self._world.stage.seen, self._world.namespace
        live = seen.get(STREAM_PIPELINE, namespace, self._world.name)
        own = live["metadata"]["uid"] if live is not None else ""
        return {
            child["metadata"]["name"]: child["metadata"]["uid"]
            for child in seen.all(DEPLOYMENT, namespace)
            if controller(child) == own
        }

    def _workers(self) -> Iterator[Violation]:
        since, self._looked = self._looked, time.monotonic()
        if self._fixed_since is None:
            self._fixed_since = dict.fromkeys(self._fixed(), 0.0)
        known = self._fixed_since
        self._fixed_since = {name: known.get(name, since) for name in self._fixed()}
        for change in self._world.stage.seen.changes(self._world.namespace, since):
            long_fixed = since - self._fixed_since.get(change.name, since) > FIXED_SECONDS
            if change.kind == DEPLOYMENT.kind and long_fixed and TO_ZERO.search(change.what):
                yield Violation("kept", f"all workers of {change.name} were told to end")

    def _fixed(self) -> set[str]:
        world = self._world
        if world.spec.get("suspend") or world.causes["rival"]:
            return set()
        return {
            deployment_name(world.namespace, world.name, group["name"])
            for group in world.groups
            if (group.get("scaling") or {}).get("mode") == "Fixed"
        }
