"""Holds what the handlers wrote down against what was sent. Pure: records in, violations out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.crash.sender import Sent

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Line:
    """One line of the handlers' record."""

    what: str
    seq: int
    consumer: str
    delivery_count: int
    attempt: int
    at: float


def parse(text: str) -> list[Line]:
    """The handlers' record, in the order of its lines."""
    lines = []
    for raw in text.splitlines():
        what, seq, consumer, count, attempt, at = raw.split()
        lines.append(Line(what, int(seq), consumer, int(count), int(attempt), float(at)))
    return lines


@dataclass(frozen=True)
class Ending:
    """What Redis held when the run had ended."""

    present: frozenset[int]
    """Sequence numbers of the events still in the stream (without Force: all that it kept)."""
    dead: Counter[int]
    outputs: Counter[int]
    pending: int
    lag: int | None
    consumers: frozenset[str]
    leaked: frozenset[str]
    """Keys of ours that should be gone."""


@dataclass
class Report:
    """`violations` by bound, with examples; figures for the table."""

    sent: int
    effects: int = 0
    duplicates: int = 0
    broker_lost: int = 0
    trimmed: int = 0
    redeliveries: list[float] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)

    def broke(self, bound: str, example: str) -> None:
        examples = self.violations.setdefault(bound, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(example)


def check(
    events: Iterable[Sent],
    lines: list[Line],
    ending: Ending,
    *,
    killed: Mapping[str, float],
    trimmed_below: int = 0,
    broker_forgets: bool = False,
    redelivery_bound: float | None = None,
) -> Report:
    """`killed`: pod -> when. `redelivery_bound`: seconds, None where other faults blur it.

    `broker_forgets`: the server may lose what it had confirmed (everysec). Then events that are no
    longer in the stream are its loss, and repeated delivery is no fault of ours.
    """
    events = list(events)
    report = Report(sent=len(events))
    effects: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line.what == "effect":
            effects[line.seq].append(line)
    report.effects = sum(len(some) for some in effects.values())
    for event in events:
        mine = effects.get(event.seq, [])
        name = f"event {event.seq} ({event.kind})"
        if event.seq not in ending.present:
            if event.seq < trimmed_below:
                report.trimmed += 1
            elif broker_forgets:
                report.broker_lost += 1
            else:
                report.broke("in the stream", f"{name} is gone")
            continue
        _check_handled(report, event, name, mine, ending)
        if broker_forgets:
            continue
        _check_duplicates(report, name, mine)
        _check_outputs(report, event, name, mine, ending)
    _check_ending(report, ending)
    if redelivery_bound is not None:
        _check_redelivery(report, lines, killed, redelivery_bound)
    return report


def _check_handled(
    report: Report, event: Sent, name: str, mine: list[Line], ending: Ending
) -> None:
    if not mine:
        where = "a dead letter" if ending.dead[event.seq] else "nowhere"
        report.broke("lost", f"{name} had no effect; it is {where}")
    if (event.kind == "reject") != bool(ending.dead[event.seq]):
        report.broke("dead letters", f"{name} has {ending.dead[event.seq]} dead letters")


def _check_duplicates(report: Report, name: str, mine: list[Line]) -> None:
    """Each delivery may have one effect, and there are no more effects than deliveries."""
    report.duplicates += max(0, len(mine) - 1)
    tokens = Counter((line.consumer, line.delivery_count) for line in mine)
    for (consumer, count), times in tokens.items():
        if times > 1:
            report.broke("duplicates", f"{name}: {times} effects of delivery {count} to {consumer}")
    if mine and len(mine) > max(line.delivery_count for line in mine):
        report.broke("duplicates", f"{name}: {len(mine)} effects, fewer deliveries")


def _check_outputs(
    report: Report, event: Sent, name: str, mine: list[Line], ending: Ending
) -> None:
    wanted = 1 if event.kind == "emit" and mine else 0
    if ending.outputs[event.seq] != wanted:
        report.broke("outputs", f"{name}: {ending.outputs[event.seq]} outputs, not {wanted}")
    if ending.dead[event.seq] > 1:
        report.broke("dead letters", f"{name}: {ending.dead[event.seq]} dead letters")


def _check_ending(report: Report, ending: Ending) -> None:
    if ending.pending:
        report.broke("pending", f"{ending.pending} entries are pending at the end")
    if ending.lag:
        report.broke("pending", f"{ending.lag} entries are unread at the end")
    for key in sorted(ending.leaked):
        report.broke("leaks", key)


def _check_redelivery(
    report: Report, lines: list[Line], killed: Mapping[str, float], bound: float
) -> None:
    """What a killed worker had begun begins again elsewhere within the bound after the kill."""
    begun: dict[int, Line] = {}
    for line in lines:
        earlier = begun.get(line.seq)
        if line.what == "start":
            if earlier is not None:
                pod = earlier.consumer.rsplit("-", 1)[0]
                died = killed.get(pod)
                if died is not None and earlier.at <= died:
                    waited = line.at - died
                    report.redeliveries.append(waited)
                    if waited > bound:
                        report.broke(
                            "redelivery",
                            f"event {line.seq} waited {waited:.2f} s after its worker died",
                        )
            begun[line.seq] = line
