"""What becomes of an entry whose settlement Redis refused. Pure.

One output that cannot be written must neither stop its group nor fill its worker: so no entry is
held that can be put down, among the dead letters or parked.
"""

from random import random

from headrace.entry import Entry
from headrace.worker.backoff import Random, delay
from headrace.worker.settling.decision import Decision, Kind, dead_letter

PAUSE_SECONDS = 1.0
"""Before the first new try; it doubles with each delivery."""
MAX_PAUSE_SECONDS = 60.0
PERMANENT = ("WRONGTYPE", "NOPERM", "ERR")
"""Until a person mends it. Others, as OOM or MISCONF, may pass by themselves."""


def instead(entry: Entry, decision: Decision, reason: str, rng: Random = random) -> Decision | None:
    """The decision to settle the entry by now; None: nothing can be written for it, so hold it and
    try the same again.

    A success whose outputs can never be written becomes a dead letter, and what cannot be written
    now is parked: its handler runs again, without a failure counted.
    """
    writes = decision.kind is Kind.ACK or (decision.kind is Kind.SKIP and entry.outputs)
    if writes and reason.startswith(PERMANENT):
        return dead_letter(f"its outputs or its mark cannot be written: {reason}", "Refused")
    if writes or decision.kind is Kind.DEAD_LETTER:
        wait = delay(
            entry.delivery_count, initial=PAUSE_SECONDS, maximum=MAX_PAUSE_SECONDS, rng=rng
        )
        return Decision(Kind.RETRY, reason, "Refused", wait)
    return None
