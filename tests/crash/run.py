"""What makes a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.topology import Topology


@dataclass(frozen=True)
class Run:
    """What makes a run: the same run strikes the same faults on the same events."""

    seed: int
    scenario: str
    kind: str = "redis"
    events: int = 5_000
    topology: Topology = Topology.STANDALONE
    rate: float = 800.0
    fault_pause: float = 0.8
    slow: float | None = None
    """Share of slow events, in place of the scenario's."""
    slow_seconds: tuple[float, ...] | None = None
    """How long slow events take, each as likely; in place of the scenario's."""
    link: float | None = None
    """Bytes a second of each connection, in place of the scenario's."""
    min_idle: float | None = None
    """In place of the scenario's."""
    drain_seconds: float = 180.0
    """What is left may be hundreds of suspects, each alone in its worker, and some of them slow."""

    @property
    def of(self) -> Scenario:
        """The scenario, with what this run has in its place."""
        scenario = SCENARIOS[self.scenario]
        mix = scenario.mix
        # A worker claims no more than it has room for, and a suspect runs alone: the bound on
        # redelivery holds where that does not take longer than the bound's slack.
        if scenario.timed:
            mix = replace(mix, slow_seconds=mix.slow_seconds[:1])
        if self.slow is not None:
            mix = replace(mix, slow=self.slow)
        if self.slow_seconds is not None:
            mix = replace(mix, slow_seconds=self.slow_seconds)
        link = scenario.link if self.link is None else self.link
        min_idle = scenario.min_idle if self.min_idle is None else self.min_idle
        return replace(scenario, mix=mix, link=link, min_idle=min_idle)

    @property
    def count(self) -> int:
        """How many events are sent."""
        return round(self.events * self.of.share)

    @property
    def sent_per_second(self) -> float:
        return self.of.rate or self.rate
