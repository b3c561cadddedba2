"""Headrace's own decision, and models of what KEDA with its HPA and Numaflow document.

KEDA 2.21: polls every 30 s, wakes 0 to 1 there, sleeps after 300 s without activity. The HPA
syncs every 15 s, at most doubles or adds 4, and goes down to the highest wish of 300 s.
Numaflow (MonoVertex): aims at 20 s of processing by the mean rate and backlog of 120 s, moves by
at most 2 pods, 90 s apart, to 0 when both are 0; at 0 it looks again after 120 s with one pod.
Both are given the true backlog, pending entries included, which neither reads in fact.
"""

from collections import deque
from math import ceil

from bench.scaling.world import Sight

from headrace_api.v1alpha1 import Scaling
from headrace_operator.scaling import Look, ScalingHistory, decide

TARGET = 100
MOST = 10


class Headrace:
    name = "Headrace"

    def __init__(self, phase: int = 0) -> None:
        self._spec = Scaling(target_backlog=TARGET, max_replicas=MOST)
        self._history = ScalingHistory()

    def decide(self, sight: Sight) -> int:
        look = Look(
            clock=float(sight.second),
            ready=sight.backlog,
            lag=sight.lag,
            added=sight.added,
            current=sight.replicas,
            workers=sight.ready,
            startup=sight.startup,
        )
        decision = decide(self._spec, look, self._history)
        self._history = decision.history
        return decision.replicas


class Keda:
    name = "KEDA + HPA"

    def __init__(self, phase: int = 0) -> None:
        self._phase = phase
        self._active_at = -1_000
        self._wishes: deque[tuple[int, int]] = deque()

    def decide(self, sight: Sight) -> int:
        replicas = sight.replicas
        if (sight.second + self._phase) % 30 == 0:
            if sight.backlog > 0:
                self._active_at = sight.second
                replicas = max(replicas, 1)
            elif sight.second - self._active_at >= 300:
                self._wishes.clear()
                return 0
        if replicas and (sight.second + 7 * self._phase) % 15 == 0:
            return self._hpa(sight, replicas)
        return replicas

    def _hpa(self, sight: Sight, replicas: int) -> int:
        usage = sight.backlog / (TARGET * replicas)
        wish = replicas if abs(usage - 1) <= 0.1 else max(ceil(sight.backlog / TARGET), 1)
        wish = min(wish, MOST)
        self._wishes.append((sight.second, wish))
        while self._wishes[0][0] <= sight.second - 300:
            self._wishes.popleft()
        if wish > replicas:
            return min(wish, max(2 * replicas, replicas + 4))
        return min(replicas, max(w for _, w in self._wishes))


class Numaflow:
    name = "Numaflow"

    def __init__(self, phase: int = 0) -> None:
        self._phase = phase
        self._moved_at = -1_000
        self._seen: deque[Sight] = deque()

    def decide(self, sight: Sight) -> int:
        self._seen.append(sight)
        while self._seen[0].second < sight.second - 120:
            self._seen.popleft()
        if (sight.second + self._phase) % 5:
            return sight.replicas
        if sight.replicas == 0:
            return self._moved(sight, 1) if sight.second - self._moved_at >= 120 else 0
        if sight.ready == 0 or sight.second - self._moved_at < 90:
            return sight.replicas
        step = max(min(min(self._wanted(sight), MOST) - sight.replicas, 2), -2)
        return self._moved(sight, sight.replicas + step) if step else sight.replicas

    def _moved(self, sight: Sight, replicas: int) -> int:
        self._moved_at = sight.second
        return replicas

    def _wanted(self, sight: Sight) -> int:
        seconds = max(sight.second - self._seen[0].second, 1)
        rate = (sight.handled - self._seen[0].handled) / seconds
        pending = round(sum(s.backlog for s in self._seen) / len(self._seen))
        if rate == 0:
            return sight.replicas if pending else 0
        wanted = max(round(pending / rate / 20 * sight.ready), 1)
        return min(wanted, pending) if pending else wanted


ALL = (Headrace, Keda, Numaflow)
