"""Who is compared: Headrace's own decision, and the models of its peers, set to the same goal.

The goal is 100 entries waiting for each worker and at most 10 workers. A worker handles 20 a
second, so 100 entries are 5 s of its work: `lagCount: "100"` for KEDA, and for Numaflow
`targetProcessingSeconds: 5`. Numaflow's default of 20 s is another goal, 400 entries for each
worker: there Headrace has `targetBacklog: 400`. All else is every program's default.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil, inf

from bench.scaling.keda import Keda
from bench.scaling.numaflow import Numaflow
from bench.scaling.world import Scaler, Sight

from headrace_api.v1alpha1 import Scaling
from headrace_operator.backlog.wakeups import WAKE_INTERVAL_SECONDS, ScalingTarget
from headrace_operator.scaling.decide import GroupState, ScalingHistory, decide

TARGET = 100
MOST = 10
RATE = 20.0  # entries per second of one worker
WINDOW = int(Scaling().scale_down_after.total_seconds())


class Headrace:
    """The operator's own function, shown what the poller read a second ago, and asked only when
    the operator would ask: more workers are wanted, pods changed, a look is due, or, where any
    figure moved, every `WAKE_INTERVAL_SECONDS` seconds."""

    def __init__(self, target: int = TARGET, scale_down_after: int = WINDOW) -> None:
        self._spec = Scaling(
            target_backlog=target,
            max_replicas=MOST,
            scale_down_after=timedelta(seconds=scale_down_after),
        )
        self._step = ScalingTarget(target, MOST)
        self._history = ScalingHistory()
        self._read: Sight | None = None
        self._reported: Sight | None = None
        self._next_look = inf

    def decide(self, sight: Sight) -> int:
        read, self._read = self._read, sight
        if read is None or not self._is_asked(read, sight):
            return sight.replicas
        self._reported = replace(read, second=sight.second, ready=sight.ready)
        look = GroupState(
            clock=float(sight.second),
            ready=read.backlog,
            lag=read.lag,
            added=read.added,
            current=sight.replicas,
            workers=sight.ready,
            startup=sight.startup,
            read_at=float(read.second),
        )
        decision = decide(self._spec, look, self._history)
        self._history = decision.history
        self._next_look = sight.second + (
            inf if decision.requeue_after is None else decision.requeue_after
        )
        return decision.replicas

    def _is_asked(self, read: Sight, sight: Sight) -> bool:
        last = self._reported
        if last is None or last.ready != sight.ready or sight.second >= self._next_look:
            return True
        if self._wants(read) > self._wants(last):
            return True
        moved = (last.backlog, last.lag, last.added) != (read.backlog, read.lag, read.added)
        return moved and sight.second - last.second >= WAKE_INTERVAL_SECONDS

    def _wants(self, sight: Sight) -> int:
        return min(ceil(sight.backlog / self._step.target), self._step.max_replicas)


@dataclass(frozen=True)
class Peer:
    """A peer, and `target`: the entries for each worker that are its goal. It may poll at any
    moment, so it runs once for each of `PHASES` (seconds)."""

    name: str
    target: int
    scaler: Callable[[int], Scaler]


def _numaflow(name: str, seconds: float) -> Peer:
    return Peer(name, int(seconds * RATE), lambda phase: Numaflow(seconds, MOST, phase))


KEDA = Peer("KEDA + HPA", TARGET, lambda phase: Keda(TARGET, MOST, phase))
NUMAFLOW = _numaflow("Numaflow, 5 s", 5.0)
NUMAFLOW_DEFAULT = _numaflow("Numaflow, 20 s", 20.0)
PEERS = (KEDA, NUMAFLOW, NUMAFLOW_DEFAULT)
PHASES = (0, 5, 11, 17, 23, 29)
