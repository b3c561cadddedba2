"""One trace, every scaler: what each cost in waiting and in pods, and who beats whom. Pure."""

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from bench.scaling.contenders import PEERS, PHASES, WINDOW, Headrace
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
    return Cost(fmean(r.backlog_seconds for r in runs), fmean(r.pod_seconds for r in runs))


class Comparison:
    """`runs`: a course for each scaler and each phase of its polls; Headrace's has no phase."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.runs = {Headrace.name: [simulate(trace, Headrace())]}
        for name, peer in PEERS.items():
            self.runs[name] = [simulate(trace, peer(phase)) for phase in PHASES]
        self.costs = {name: cost(runs) for name, runs in self.runs.items()}

    @cached_property
    def curve(self) -> dict[int, Cost]:
        """What Headrace costs with each scaleDownAfter: waiting against pods."""
        return {w: cost([simulate(self.trace, Headrace(w))]) for w in WINDOWS}

    def setting_that_beats(self, peer: str) -> int | None:
        """The scaleDownAfter, nearest to the default, with which Headrace beats `peer`."""
        theirs = self.costs[peer]
        if self.costs[Headrace.name].beats(theirs):
            return WINDOW
        beating = [w for w, mine in self.curve.items() if mine.beats(theirs)]
        return min(beating, key=lambda w: abs(w - WINDOW), default=None)

    def failures(self) -> list[str]:
        """Every bound of docs/scaling.md that is not kept, in words."""
        mine, found = self.costs[Headrace.name], []
        (run,) = self.runs[Headrace.name]
        if run.reversals(WINDOW) > 1:
            found.append(f"more than one turn within {WINDOW} s")
        if run.zero_with_work(self.trace.startup + 5):
            found.append("0 workers with work")
        for peer, theirs in self.costs.items():
            if peer == Headrace.name:
                continue
            if theirs.backlog <= mine.backlog and theirs.pods <= mine.pods:
                found.append(f"{peer} is better in both")
            if self.setting_that_beats(peer) is None:
                found.append(f"no scaleDownAfter beats {peer}")
        return [f"{self.trace.name}: {words}" for words in found]
