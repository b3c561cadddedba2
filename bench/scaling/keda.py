"""A model of KEDA 2.21 with the HorizontalPodAutoscaler of Kubernetes 1.35, read from their source.

KEDA polls every 30 s: it starts 1 pod for whatever waits, and ends the last when nothing waited
for longer than 300 s. Between, the HPA syncs every 15 s: `ceil(backlog / target)`, unless within
10 % of what runs; the highest recommendation of 300 s counts, on the way up too; one sync at most
doubles the pods, or makes them 4. KEDA sets no `behavior`, so these are the HPA's own rules
(`normalizeDesiredReplicas`); measured on a real cluster it goes 1, 4, 8, 10 as this model does.
"""

from collections import deque
from math import ceil

from bench.scaling.world import Sight

POLL, COOLDOWN = 30, 300  # pollingInterval and cooldownPeriod
SYNC, STABILISATION, TOLERANCE = 15, 300, 0.1  # flags of kube-controller-manager


class Keda:
    """`lagCount: target`. It is shown what is pending too, which no single trigger of KEDA sees."""

    def __init__(self, target: int, most: int, phase: int = 0) -> None:
        self._target = target
        self._most = most
        self._phase = phase
        self._active_at: int | None = None
        self._recommended: deque[tuple[int, int]] = deque()

    def decide(self, sight: Sight) -> int:
        replicas = sight.replicas
        if (sight.second + self._phase) % POLL == 0:
            replicas = self._poll(sight)
        if replicas and (sight.second + 7 * self._phase) % SYNC == 0:
            return self._sync(sight, replicas)
        return replicas

    def _poll(self, sight: Sight) -> int:
        if sight.backlog > 0:
            self._active_at = sight.second
            return max(sight.replicas, 1)
        if self._active_at is None or sight.second - self._active_at > COOLDOWN:
            return 0
        return sight.replicas

    def _sync(self, sight: Sight, replicas: int) -> int:
        usage = sight.backlog / (self._target * replicas)
        fine = abs(usage - 1) <= TOLERANCE
        recommended = replicas if fine else ceil(sight.backlog / self._target)
        self._recommended.append((sight.second, recommended))
        while self._recommended[0][0] < sight.second - STABILISATION:
            self._recommended.popleft()
        stabilised = max(number for _, number in self._recommended)
        return max(min(stabilised, self._most, max(2 * replicas, 4)), 1)
