"""Holds what the handlers wrote down against what was sent. Pure: records in, violations out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.crash.endings import Fate
from tests.crash.report import Circumstances, Ending, Line, Report
from tests.crash.workload import Sent


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
        by_force = seq < around.removed_below and seq not in ending.present
        if seq not in ending.present and not around.trims_safely:
            if by_force:
                report.trimmed += not history.effects
            elif around.broker_forgets:
                report.broker_lost += 1
                continue
            else:
                report.broke("stream", f"{history.name} is gone")
        if not by_force:
            _check_handled(report, history, ending, around)
        if around.broker_forgets or around.repeats:
            continue
        _check_duplicates(report, history)
        _check_outputs(report, history, ending, around, by_force=by_force)
        if not by_force:
            _check_order(report, history, around)
        if around.calm:
            _check_calm(report, history)
        if around.prompt is not None:
            _check_prompt(report, history, around)
    _check_ending(report, ending)
    if around.redelivery_bound is not None:
        _check_redelivery(report, around)
    return report


def _check_handled(
    report: Report, history: _History, ending: Ending, around: Circumstances
) -> None:
    dead = ending.dead[history.event.seq]
    if not history.effects:
        where = "a dead letter" if dead else "nowhere"
        report.broke("lost", f"{history.name} had no effect; it is {where}")
    fate = history.event.fate
    if history.event.kind == "emit" and around.refused_outputs:
        fate = Fate.ANY
    if fate is not Fate.ANY and (fate is Fate.DEAD) != bool(dead):
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


def _check_outputs(
    report: Report, history: _History, ending: Ending, around: Circumstances, *, by_force: bool
) -> None:
    seq = history.event.seq
    found, dead = ending.outputs[seq], ending.dead[seq]
    wanted = 1 if history.event.kind == "emit" and history.effects and not dead else 0
    # What Force took away from a dead worker, or from one too slow to renew its lease, has had its
    # effect, and nobody can emit it any more. A living one that has it still can.
    excused = by_force and (bool(around.deaths) or _was_taken(history, around))
    if found > wanted or (found < wanted and not excused):
        report.broke("outputs", f"{history.name}: {found} outputs, not {wanted}")
    if dead > 1:
        report.broke("dead-letters", f"{history.name}: {dead} dead letters")


def _was_taken(history: _History, around: Circumstances) -> bool:
    """Another consumer had it last than the one whose handler ended."""
    owners = around.owners.get(history.event.seq)
    return bool(owners) and bool(history.effects) and owners[-1][0] != history.effects[-1].consumer


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


def _check_prompt(report: Report, history: _History, around: Circumstances) -> None:
    """What is wrong with the output of some events keeps no others waiting."""
    assert around.prompt is not None
    if history.event.kind != "emit" and history.starts:
        waited = history.starts[0].at - around.sent_at[history.event.seq]
        if waited > around.prompt:
            report.broke("prompt", f"{history.name} waited {waited:.1f} s for its turn")


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
