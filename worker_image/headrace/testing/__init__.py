"""A harness for the tests of your own handlers: no Redis, no Kubernetes, no waiting.

    async with Harness(app, outputs=["{flights}:late"]) as harness:
        result = await harness.feed(headrace.Event("flight.landed", {"carrier": "UA"}))
        assert result.outcome == "done"

Events pass through the worker's own code: dispatch, validation, slots, time-outs, the decision what
becomes of an entry, suspects. What Redis and its scripts do is redone in memory, on a clock that
only `advance` moves; a test of Headrace compares both.

Not shown: connections and their loss, trimming, other groups, how fast it is.
Handlers share this process, so a crash leaves module globals and `app.state` as they are.
Time-outs run on the real clock: give a short `handlerTimeout` to test one.
"""

from headrace.testing.harness import Crash, Harness
from headrace.testing.result import Attempt, DeadLetter, Emitted, Result

__all__ = ["Attempt", "Crash", "DeadLetter", "Emitted", "Harness", "Result"]
