"""The status tells the truth within 10 s: sampled while people do what they do."""

from __future__ import annotations

from collections.abc import Iterator

import redis

from headrace_api.names import GROUP_LABEL, PIPELINE_LABEL, deployment_name
from headrace_operator.kube.kinds import DEPLOYMENT, POD, STREAM_PIPELINE
from tests.hostile.oracles import FAULT, LONGEST_BACK_OFF_SECONDS, Violation
from tests.hostile.oracles.end_state import controller
from tests.hostile.pipelines import Manifest, consumer_group
from tests.hostile.world import World
from tests.support.kube import condition

BOUND_SECONDS = 10.0
START_SECONDS = 130.0
"""What a worker may take until it is ready, unless its container says that it cannot."""
REASONS = {
    "redis": {"RedisUnreachable", "RedisRefused"},
    "password": {"RedisRefused", "RedisUnreachable"},
    "crash": {"WorkersCrashing"},
    "pull": {"ImagePullFailed"},
    "hang": {"WorkersNotReady", "Progressing"},
    "unschedulable": {"WorkersNotReady", "Progressing"},
    "reference": {"SecretNotFound", "ConfigMapNotFound", "KeyNotFound"},
    "stranger": {"NameConflict"},
    "terminating": {"Progressing"},
    "invalid spec": {"InvalidSpec"},
    "invalid child": {"InvalidChild"},
    "wrong type": {"WrongType", "RedisRefused"},
    "group name": {"InvalidSpec", "RedisRefused", "InvalidChild"},
}
"""What Ready may say while this, and nothing else, is in force. What is not here may say anything
but InternalError."""


class Truth:
    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[str, float] = {}
        self._starting: set[str] = set()
        self._uid = ""
        self._muted_since = self._mute_until = 0.0

    def sample(self) -> Iterator[Violation]:
        world = self._world
        live = world.stage.seen.get(STREAM_PIPELINE, world.namespace, world.name)
        if live is None or "deletionTimestamp" in live["metadata"]:
            self._since.clear()
            return
        if live["metadata"]["uid"] != self._uid:  # made anew: nobody has told it anything yet
            self._uid = live["metadata"]["uid"]
            self._since.clear()
        ready = condition(live, "Ready")
        if ready is not None and ready["reason"] == "InternalError":
            yield Violation(FAULT, f"InternalError: {ready['message'][:300]}")
        standing = self._standing(live, ready)
        if self._is_mute():
            return
        for wrong in standing & set(self._wrongs(live)):
            if ready is None or ready["status"] == "True" or wrong.startswith("generation"):
                shown = "no Ready" if ready is None else f"Ready={ready['status']}"
                said = "" if ready is None else f" {ready['reason']}: {ready['message'][:200]}"
                yield Violation("truth", f"{shown}{said}, while {wrong}")
        yield from self._reason(ready, standing)

    def _is_mute(self) -> bool:
        """Nobody may write the status; and for as long again the operator may back off."""
        now = self._world.served
        if self._world.causes["mute"]:
            self._muted_since = self._muted_since or now
            self._mute_until = now + min(now - self._muted_since, LONGEST_BACK_OFF_SECONDS)
        else:
            self._muted_since = 0.0
        mute = bool(self._muted_since) or now < self._mute_until
        if mute:
            self._since.clear()
        return mute

    def _standing(self, live: Manifest, ready: Manifest | None) -> set[str]:
        """What is wrong and has been so for longer than the bound."""
        self._starting.clear()
        now, wrongs = self._world.served, set(self._wrongs(live))
        known_from = now - self._world.stage.operator.leads_for
        if ready is not None and ready["status"] != "True":
            wrongs.add(f"Ready has said {ready['reason']}")
        causes = [cause for cause, count in self._world.causes.items() if count]
        wrongs.add(f"in force: {', '.join(sorted(causes)) or 'nothing'}")
        self._since = {wrong: self._since.get(wrong, now) for wrong in wrongs}
        return {
            wrong
            for wrong, since in self._since.items()
            if now - max(since, known_from)
            > (START_SECONDS if wrong in self._starting else BOUND_SECONDS)
        }

    def _wrongs(self, live: Manifest) -> Iterator[str]:
        world, metadata = self._world, live["metadata"]
        if (live.get("status") or {}).get("observedGeneration") != metadata["generation"]:
            yield f"generation {metadata['generation']} is not observed"
        if not world.redis_is_well:
            yield "Redis is away"
        for group in world.groups:
            name = deployment_name(world.namespace, world.name, group["name"])
            child = world.stage.seen.get(DEPLOYMENT, world.namespace, name)
            if child is None or controller(child) != metadata["uid"]:
                yield f"there is no Deployment {name} of ours"
            elif child["spec"].get("replicas") and not child["status"].get("readyReplicas"):
                pods = status_of_pods(world, group["name"])
                wrong = f"no worker of {name} is ready ({pods})"
                if not (world.causes["crash"] or world.causes["pull"]):
                    self._starting.add(wrong)
                yield wrong
            if world.redis_is_well and metadata["uid"] not in self._owner(consumer_group(group)):
                yield f"the claim on {group['name']} is not ours"

    def _owner(self, name: str) -> str:
        try:
            return self._world.owner(name)
        except (redis.RedisError, OSError):
            return ""

    def _reason(self, ready: Manifest | None, standing: set[str]) -> Iterator[Violation]:
        if ready is None or f"Ready has said {ready['reason']}" not in standing:
            return
        (cause,) = [one.removeprefix("in force: ") for one in standing if "in force" in one] or [""]
        if cause in REASONS and ready["reason"] not in REASONS[cause]:
            said = f"{ready['reason']}: {ready['message'][:200]}"
            yield Violation("reason", f"{said}, while what is wrong is: {cause}")


def status_of_pods(world: World, group: str) -> str:
    """What a person would look at next."""
    labels = {PIPELINE_LABEL: world.name, GROUP_LABEL: group}
    found = [
        f"{pod['status'].get('phase')}{' ending' if 'deletionTimestamp' in pod['metadata'] else ''}"
        for pod in world.stage.seen.all(POD, world.namespace)
        if labels.items() <= (pod["metadata"].get("labels") or {}).items()
    ]
    return f"{len(found)} pods: {', '.join(found)}"
