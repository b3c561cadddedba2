"""A model of the autoscaler of Numaflow's MonoVertex, read from its source (August 2026).

Every 30 s it wants `round(pending / rate / targetProcessingSeconds x ready pods)`, both averaged
over 120 s of samples taken every 5 s while a pod runs; moves by at most 2 pods, at most every
90 s; goes to 0 when nothing is pending and nothing was handled in those 120 s; and at 0 starts one
pod every 120 s to look. Not modelled: the look-back grows where one entry takes minutes.
"""

from collections import deque

from bench.scaling.world import Sight

TASK, SAMPLE, LOOKBACK = 30, 5, 120
STEP, COOLDOWN, SLEEP = 2, 90, 120  # replicasPerScale..., scale...CooldownSeconds, zeroReplica...


class Numaflow:
    """`targetProcessingSeconds: target_seconds`; all else as it comes."""

    def __init__(self, target_seconds: float, most: int, phase: int = 0) -> None:
        self._target_seconds = target_seconds
        self._most = most
        self._phase = phase
        self._scaled_at = -SLEEP
        self._samples: deque[Sight] = deque()

    def decide(self, sight: Sight) -> int:
        if sight.second % SAMPLE == 0 and sight.ready:
            self._samples.append(sight)
        while self._samples and self._samples[0].second < sight.second - LOOKBACK:
            self._samples.popleft()
        if (sight.second + self._phase) % TASK:
            return sight.replicas
        since = sight.second - self._scaled_at
        if sight.replicas == 0:
            return self._scaled(sight, 1) if since >= SLEEP else 0
        if sight.ready == 0 or since < COOLDOWN or len(self._samples) < 3:
            return sight.replicas
        step = min(self._desired(sight), self._most) - sight.replicas
        step = max(min(step, STEP), -STEP)
        return self._scaled(sight, sight.replicas + step) if step else sight.replicas

    def _scaled(self, sight: Sight, replicas: int) -> int:
        self._scaled_at = sight.second
        return replicas

    def _desired(self, sight: Sight) -> int:
        first, last = self._samples[0], self._samples[-2]  # the newest may be incomplete
        rate = (last.handled - first.handled) / (last.second - first.second)
        pending = sum(s.backlog for s in self._samples) // len(self._samples)
        if rate == 0:
            return sight.replicas if pending else 0
        desired = max(round(pending / rate / self._target_seconds * sight.ready), 1)
        return min(desired, pending) if pending else desired
