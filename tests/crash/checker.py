"""Holds what the handlers wrote down against what was sent. Pure: records in, violations out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """Sequence numbers of the events still in the stream (without trimming: all that it kept)."""
    dead: Counter[int]
    outputs: Counter[int]
    pending: int
    lag: int | None
    leaked: frozenset[str]
    """Keys, fields and consumers of ours that should be gone."""


@dataclass(frozen=True)
class Circumstances:
    """What happened to the run, as far as it decides what must hold."""

    deaths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Pod -> Unix seconds of each SIGKILL."""
    settled: Mapping[int, float] = field(default_factory=dict)
    """Sequence number -> Unix seconds at which the witness saw it settled."""
    owners: Mapping[int, Sequence[tuple[str, float]]] = field(default_factory=dict)
    """Sequence number -> consumers that the witness saw own it, each with Unix seconds."""
    trimmed_below: int = 0
    """Below this number Force removed whatever there was."""
    trims_safely: bool = False
    """Policy Safe was at work: what is handled may have left the stream."""
    broker_forgets: bool = False
    """The server may lose what it had confirmed (everysec): then events that are no longer in the
    stream are its loss, and repeated delivery is no fault of ours."""
    calm: bool = False
    """Nothing died and nothing fell silent."""
    redelivery_bound: float | None = None
    """Seconds; None where other faults blur it."""


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


@dataclass
class _History:
    """All that is recorded of one event."""

    event: Sent
    starts: list[Line] = field(default_factory=list)
    failures: list[Line] = field(default_factory=list)
    effects: list[Line] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"event {self.event.seq} ({self.event.kind})"


def check(
    events: Iterable[Sent], lines: list[Line], ending: Ending, around: Circumstances
) -> Report:
    """Every bound of the crash proof, over all events of one run."""
    histories = {event.seq: _History(event) for event in events}
    for line in lines:
        history = histories[line.seq]
        {"start": history.starts, "failure": history.failures, "effect": history.effects}[
            line.what
        ].append(line)
    report = Report(sent=len(histories))
    for history in histories.values():
        seq = history.event.seq
        report.effects += len(history.effects)
        by_force = seq < around.trimmed_below and seq not in ending.present
        if seq not in ending.present and not around.trims_safely:
            if by_force:
                report.trimmed += not history.effects
            elif around.broker_forgets:
                report.broker_lost += 1
                continue
            else:
                report.broke("stream", f"{history.name} is gone")
        if not by_force:
            _check_handled(report, history, ending)
        if around.broker_forgets:
            continue
        _check_duplicates(report, history)
        _check_outputs(report, history, ending, by_force=by_force)
        if not by_force:
            _check_order(report, history, around)
        if around.calm:
            _check_calm(report, history)
    _check_ending(report, ending)
    if around.redelivery_bound is not None:
        _check_redelivery(report, around)
    return report


def _check_handled(report: Report, history: _History, ending: Ending) -> None:
    dead = ending.dead[history.event.seq]
    if not history.effects:
        where = "a dead letter" if dead else "nowhere"
        report.broke("lost", f"{history.name} had no effect; it is {where}")
    if (history.event.kind == "reject") != bool(dead):
        report.broke("dead-letters", f"{history.name} has {dead} dead letters")


def _check_duplicates(report: Report, history: _History) -> None:
    """Each delivery may have one effect, and there are no more effects than deliveries."""
    effects = history.effects
    report.duplicates += max(0, len(effects) - 1)
    tokens = Counter((line.consumer, line.delivery_count) for line in effects)
    for (consumer, count), times in tokens.items():
        if times > 1:
            report.broke(
                "duplicates",
                f"{history.name}: {times} effects of delivery {count} to {consumer}",
            )
    if effects and len(effects) > max(line.delivery_count for line in effects):
        report.broke("duplicates", f"{history.name}: {len(effects)} effects, fewer deliveries")


def _check_outputs(report: Report, history: _History, ending: Ending, *, by_force: bool) -> None:
    seq = history.event.seq
    found, dead = ending.outputs[seq], ending.dead[seq]
    wanted = 1 if history.event.kind == "emit" and history.effects else 0
    # What Force took away while it was parked has had its effect, and nobody can emit it any more.
    if found > wanted or (found < wanted and not by_force):
        report.broke("outputs", f"{history.name}: {found} outputs, not {wanted}")
    if dead > 1:
        report.broke("dead-letters", f"{history.name}: {dead} dead letters")


def _check_order(report: Report, history: _History, around: Circumstances) -> None:
    """Settled by its last delivery, and only after that one's effect."""
    settled = around.settled.get(history.event.seq)
    if settled is None or not history.effects:
        return
    first = min(line.at for line in history.effects)
    if first > settled:
        report.broke(
            "order", f"{history.name} was acknowledged {first - settled:.3f} s before its effect"
        )
    last = max(history.starts, key=lambda line: line.delivery_count)
    late = [e for e in history.effects if _token(e) == _token(last) and e.at > settled > last.at]
    if late:
        report.broke(
            "order",
            f"{history.name} was acknowledged while its delivery {last.delivery_count} still ran",
        )


def _check_calm(report: Report, history: _History) -> None:
    """Without a fault nothing is handled twice, and nothing counts but what happened."""
    if len(history.effects) > 1:
        report.broke("calm", f"{history.name} has {len(history.effects)} effects without a fault")
    for number, start in enumerate(history.starts):
        failed = sum(line.at < start.at for line in history.failures)
        if start.attempt != failed + 1:
            report.broke("calm", f"{history.name}: attempt {start.attempt} after {failed} failures")
        if start.delivery_count != number + 1:
            report.broke(
                "calm", f"{history.name}: delivery {start.delivery_count} is its start {number + 1}"
            )


def _check_ending(report: Report, ending: Ending) -> None:
    if ending.pending:
        report.broke("pending", f"{ending.pending} entries are pending at the end")
    if ending.lag:
        report.broke("pending", f"{ending.lag} entries are unread at the end")
    for key in sorted(ending.leaked):
        report.broke("leaks", key)


def _check_redelivery(report: Report, around: Circumstances) -> None:
    """What a killed worker owned, begun or not, has another owner within the bound."""
    assert around.redelivery_bound is not None
    for seq, owners in around.owners.items():
        ends = [since for _, since in owners[1:]] + [around.settled.get(seq, float("inf"))]
        for (owner, since), end in zip(owners, ends, strict=True):
            pod = owner.rpartition("-")[0]
            died = min((at for at in around.deaths.get(pod, ()) if at >= since), default=None)
            if died is None or died > end:
                continue
            waited = end - died
            report.redeliveries.append(waited)
            if waited > around.redelivery_bound:
                report.broke("redelivery", f"event {seq} waited {waited:.2f} s for a new owner")


def _token(line: Line) -> tuple[str, int]:
    return line.consumer, line.delivery_count
