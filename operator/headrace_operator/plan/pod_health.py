"""What a group's pods say about their health, and which of them go first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from headrace_api import mounts
from headrace_api.v1alpha1 import Reason
from headrace_operator.plan.actions import ScaleIn
from headrace_operator.plan.observation import Manifest
from headrace_operator.scaling.decide import DEFAULT_STARTUP_SECONDS

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
VICTIM_COST = -100
# Restarts after which a container is not just having a bad start.
CRASHES = 3
# A container that crashed so often must run this long before it counts as well again.
STEADY_SECONDS = 60.0
# What a worker has from its container's start until it must be ready.
STARTUP_PROBE_SECONDS = 60.0
# Exit code of `headrace worker` for what it cannot start with.
WORKER_REFUSED = 2
MAX_MESSAGE_LENGTH = 400
# Reasons of the kubelet for a container that waits.
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_NO_CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# How many starts the start-up time is taken from.
_NEWEST_STARTS = 10


def name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])


def is_finished(pod: Manifest) -> bool:
    """Its containers have ended for good, as those of an evicted pod."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_gone_or_going(pod: Manifest) -> bool:
    """Terminating, or finished."""
    return is_finished(pod) or pod["metadata"].get("deletionTimestamp") is not None


def is_ready(pod: Manifest) -> bool:
    ready = _condition(pod, "Ready")
    return ready is not None and ready.get("status") == "True" and not is_gone_or_going(pod)


def crash_loops(pod: Manifest, now: float) -> bool:
    """The worker container keeps ending; a short run between two crashes changes nothing."""
    container = _worker(pod)
    if container is None or is_gone_or_going(pod):
        return False
    state = container.get("state", {})
    if state.get("waiting", {}).get("reason") == "CrashLoopBackOff":
        return True
    if container.get("restartCount", 0) < CRASHES or _ended_cleanly(container):
        return False
    started = state.get("running", {}).get("startedAt")
    # Before 0 the kubelet's clock is ahead of ours: how long it has run cannot be told.
    return started is None or 0 <= now - _seconds(started) < STEADY_SECONDS


def _ended_cleanly(container: Manifest) -> bool:
    """The last run ended with 0: not a crash."""
    last = container.get("lastState", {}).get("terminated", {})
    return bool(last.get("exitCode") == 0)


def blocked(pod: Manifest) -> tuple[Reason, str] | None:
    """Why the worker container cannot start at all, in the kubelet's words; None if it can."""
    waiting = (_worker(pod) or {}).get("state", {}).get("waiting", {})
    reason = waiting.get("reason")
    words = waiting.get("message", reason)
    if reason in _NO_IMAGE:
        return Reason.IMAGE_PULL_FAILED, f"the image cannot be pulled: {words}"
    if reason in _NO_CONTAINER:
        return Reason.WORKERS_NOT_READY, f"the container cannot be started: {words}"
    return None


def unready_seconds(pod: Manifest, now: float) -> float:
    """How long a pod that is not ready has been so, or has existed."""
    ready = _condition(pod, "Ready")
    since = (ready or {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    return now - _seconds(since)


def why_unready(pod: Manifest) -> str:
    """Why a pod is not ready, in the scheduler's or the kubelet's words, or where to look."""
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        message = scheduled.get("message") or scheduled.get("reason", "")
        return f"cannot be scheduled: {message}"[:MAX_MESSAGE_LENGTH]
    waiting = (_worker(pod) or {}).get("state", {}).get("waiting")
    if waiting is not None or _worker(pod) is None:
        state = waiting or {}
        message = state.get("message") or state.get("reason") or "its container is not created"
        return f"waits: {message}; see kubectl describe pod {name(pod)}"[:MAX_MESSAGE_LENGTH]
    return f"runs and is not ready: see kubectl logs {name(pod)}"


def last_end(pod: Manifest) -> str | None:
    """How the last run of the worker container ended, for a message; None if it never did.

    The termination message only where `headrace worker` wrote it; of other endings the exit code,
    as what a user's own program prints may hold a secret.
    """
    container = _worker(pod) or {}
    for state in (container.get("state", {}), container.get("lastState", {})):
        ended = state.get("terminated")
        if ended:
            if ended.get("exitCode") == WORKER_REFUSED and ended.get("message"):
                return str(ended["message"]).strip()[:MAX_MESSAGE_LENGTH]
            return f"exit code {ended.get('exitCode')} ({ended.get('reason', 'unknown')})"
    return None


def startup_seconds(pods: Iterable[Manifest]) -> float:
    """The longest of the newest starts, from creation to Ready; restarted pods do not count.

    A pod tells only when it last became ready, which may be hours after its start. So what comes
    after the container's start counts for no more than the startup probe allows.
    """
    starts = []
    for pod in pods:
        ready = _condition(pod, "Ready")
        container = _worker(pod) or {}
        running = container.get("state", {}).get("running", {}).get("startedAt")
        if ready is None or ready.get("status") != "True":
            continue
        if running is None or container.get("restartCount", 0):
            continue
        created, started = _seconds(pod["metadata"]["creationTimestamp"]), _seconds(running)
        to_ready = _seconds(ready["lastTransitionTime"]) - started
        starts.append((created, started - created + min(to_ready, STARTUP_PROBE_SECONDS)))
    newest = [seconds for _, seconds in sorted(starts)[-_NEWEST_STARTS:]]
    return max(newest, default=DEFAULT_STARTUP_SECONDS)


def victims(scale_in: ScaleIn, holdings: Mapping[str, int]) -> dict[str, int]:
    """Pod -> pod-deletion-cost to write so that the pods that hold least go first.

    `holdings`: consumer name -> entries pending on it (XINFO CONSUMERS); a consumer is named
    `<pod>-<random>`. Marks left by an earlier scale-in on other pods are set back to 0.
    """
    held = dict.fromkeys(scale_in.pods, 0)
    for consumer, pending in holdings.items():
        pod = consumer.rpartition("-")[0]
        if pod in held:
            held[pod] += pending
    chosen = sorted(held, key=lambda pod: held[pod])[: scale_in.surplus]
    costs = {pod: VICTIM_COST for pod in chosen if pod not in scale_in.marked}
    costs |= {pod: 0 for pod in scale_in.marked if pod in held and pod not in chosen}
    return costs


def is_marked(pod: Manifest) -> bool:
    cost = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    return cost not in ("", "0")


def _worker(pod: Manifest) -> Mapping[str, Any] | None:
    for container in pod.get("status", {}).get("containerStatuses") or ():
        if container.get("name") == mounts.CONTAINER_NAME:
            return container  # type: ignore[no-any-return]
    return None


def _condition(pod: Manifest, kind: str) -> Mapping[str, Any] | None:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition.get("type") == kind:
            return condition  # type: ignore[no-any-return]
    return None


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
