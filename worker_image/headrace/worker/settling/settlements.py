"""What was decided for an entry, as the commit takes it. Pure: entry + decision -> settlement."""

from headrace.entry import Entry
from headrace.streams.settlement import Ack, DeadLetter, Mark, Outcome, Park, Settlement
from headrace.worker.settling.decision import Decision, Kind

_DONE = Ack()


def success(entry: Entry, window_ms: int) -> Settlement:
    """A success that needs more than its id: outputs, a mark, or an entry that came before.

    `window_ms`: how long the event id is remembered; 0 where the group does not deduplicate.
    """
    mark = None
    if window_ms and entry.event_id:
        mark = Mark(entry.event_id, window_ms, entry.original_id)
    return Settlement(
        entry.source,
        entry.id,
        entry.delivery_count,
        _DONE,
        entry.outputs or (),
        mark,
        not entry.trimmed,
    )


def settlement(entry: Entry, decision: Decision, window_ms: int) -> Settlement:
    """Any other end. Raises what a number or text that cannot be written raises."""
    if decision.kind is Kind.ACK:
        return success(entry, window_ms)
    outcome: Outcome = _DONE
    if decision.kind is Kind.RETRY:
        delay_ms = max(0, round(decision.delay * 1000))
        outcome = Park(delay_ms, decision.error, failure=decision.failed)
    elif decision.kind is Kind.DEAD_LETTER:
        outcome = DeadLetter(
            entry.fields, decision.error, decision.error_type, entry.original_id, entry.replays
        )
    outputs = (entry.outputs or ()) if decision.kind is Kind.SKIP else ()
    return Settlement(
        entry.source, entry.id, entry.delivery_count, outcome, outputs, fenced=not entry.trimmed
    )
