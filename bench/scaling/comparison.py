"""One trace, every scaler: what each cost in waiting and in pods, and who beats whom. Pure."""

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from bench.scaling.contenders import PEERS, PHASES, TARGET, WINDOW, Headrace, Peer
from bench.scaling.traces import Trace
from bench.scaling.world import Run, simulate

MORE_PODS = 1.05
WINDOWS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 150, 180, 210, 240, 300)


@dataclass(frozen=True)
class Cost:
    """Entries waiting and pods, each summed over every second."""

    backlog: float
    pods: float

    def beats(self, other: "Cost") -> bool:
        """Less waiting, for at most 5 % more pods."""
        return self.backlog < other.backlog and self.pods <= MORE_PODS * other.pods


def cost(runs: list[Run]) -> Cost:
    """The mean of many runs."""
    return Cost(fmean(r.backlog_seconds for r in runs), fmean(r.pod_seconds for r in runs))


class Comparison:
    """Headrace and its peers on one trace. A course for each draw of the trace, the first first,
    and of a peer for each phase of its polls."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        goals = sorted({peer.target for peer in PEERS})
        self._mine = {goal: self._simulate(goal) for goal in goals}
        self._theirs = {
            peer: [simulate(draw, peer.scaler(phase)) for draw in trace.draws for phase in PHASES]
            for peer in PEERS
        }

    def _simulate(self, target: int, scale_down_after: int = WINDOW) -> list[Run]:
        return [simulate(draw, Headrace(target, scale_down_after)) for draw in self.trace.draws]

    def mine(self, target: int = TARGET) -> list[Run]:
        """The courses of Headrace with this `targetBacklog`."""
        return self._mine[target]

    def theirs(self, peer: Peer) -> list[Run]:
        """The courses of a peer."""
        return self._theirs[peer]

    def pair(self, peer: Peer) -> tuple[Cost, Cost]:
        """What Headrace and the peer cost, both with the peer's goal."""
        return cost(self._mine[peer.target]), cost(self._theirs[peer])

    def waiting_by_draw(self, peer: Peer) -> list[float]:
        """Headrace's waiting by the peer's, of each draw alone."""
        count = len(PHASES)
        theirs = self._theirs[peer]
        return [
            run.backlog_seconds / cost(theirs[n * count : (n + 1) * count]).backlog
            for n, run in enumerate(self._mine[peer.target])
        ]

    @cached_property
    def curve(self) -> dict[int, Cost]:
        """What Headrace costs with each scaleDownAfter: waiting against pods."""
        return {window: cost(self._simulate(TARGET, window)) for window in WINDOWS}

    def failures(self) -> list[str]:
        """Every bound of docs/scaling.md that is not kept, in words."""
        found = []
        for runs in self._mine.values():
            if any(run.reversals(WINDOW) > 1 for run in runs):
                found.append(f"more than one turn within {WINDOW} s")
            if any(run.zero_with_work(self.trace.startup + 5) for run in runs):
                found.append("0 workers with work")
        for peer in PEERS:
            mine, theirs = self.pair(peer)
            if not mine.beats(theirs):
                found.append(f"{peer.name} is not beaten")
        return [f"{self.trace.name}: {words}" for words in found]
