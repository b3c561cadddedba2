"""What nobody deleted stays: an edit is put right in place, and never by making a child anew."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_operator.kube.kinds import DEPLOYMENT, STREAM_PIPELINE
from tests.hostile.oracles import Violation
from tests.hostile.oracles.end_state import controller
from tests.hostile.world import World


class Kept:
    def __init__(self, world: World) -> None:
        self._world = world
        self._before: dict[str, str] = {}

    def sample(self) -> Iterator[Violation]:
        """Until something is done that deletes; from then on a new Deployment proves nothing."""
        if self._world.something_was_deleted:
            return
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
