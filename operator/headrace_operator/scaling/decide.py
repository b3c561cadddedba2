"""Decides how many workers a group needs, and says why.

Pure: spec, one look at the group, history and nothing else. Up goes at once, straight to the
number that the target needs. Down waits until every wish of the last scaleDownAfter was
lower. To zero only when the backlog is known to be 0 and nothing falls due soon. An unknown
backlog holds what is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

from headrace_api.v1alpha1 import Scaling, ScalingMode
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.throughput import Rates, Sample

RATE_LOOK = 5.0  # seconds between two looks at a rate that alone keeps workers
DEFAULT_STARTUP = 10.0  # seconds, until a start of this group's pods was measured
# Whatever number comes of it, this is what somebody has to hear of.
_TROUBLE = frozenset({Cause.BACKLOG_UNKNOWN, Cause.FALLBACK, Cause.WORKERS_CRASHING})


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one group at `clock` (monotonic seconds).

    read_at    when Redis was read, seconds by its own clock; None: at `clock`.
    ready      lag + pending - parked not yet due; None: unknown.
    lag        entries not delivered yet; None: unknown.
    exact      False: `ready` is an upper bound.
    added      entries ever added to the stream; None: unknown.
    next_due   seconds until the earliest parked entry falls due (<= 0: due now); None: none.
    current    replicas asked for now. workers: pods ready now.
    crash_looping  pods whose container keeps failing.
    startup    seconds that a pod of this group takes to become ready.
    """

    clock: float
    ready: int | None
    current: int
    lag: int | None = None
    exact: bool = True
    added: int | None = None
    next_due: float | None = None
    workers: int = 0
    crash_looping: int = 0
    startup: float = DEFAULT_STARTUP
    read_at: float | None = None

    @property
    def rate_clock(self) -> float:
        """Rates are reckoned by the clock of what was counted: a reading may be old already."""
        return self.clock if self.read_at is None else self.read_at


@dataclass(frozen=True, slots=True)
class ScalingHistory:
    """What `decide` remembers between two looks. Empty for a group never seen before.

    wishes: (clock, replicas), oldest first and falling: those that still hold the number up.
    """

    wishes: tuple[tuple[float, int], ...] = ()
    unknown_since: float | None = None
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """`replicas` wanted now, `reason` in words, `next_look` seconds from now or None."""

    replicas: int
    cause: Cause
    reason: str
    next_look: float | None = None
    history: ScalingHistory = field(default_factory=ScalingHistory)


@dataclass(frozen=True, slots=True)
class _Wish:
    """`waited`: it has waited for a window of its own, and need not be calmed."""

    replicas: int
    cause: Cause
    reason: str
    next_look: float | None = None
    waited: bool = False


def decide(spec: Scaling, look: Look, history: ScalingHistory) -> ScalingDecision:
    """Replicas for a group in mode Fixed or Automatic; External is never asked."""
    if spec.mode is ScalingMode.FIXED:
        return ScalingDecision(spec.replicas or 0, Cause.FIXED, f"fixed at {spec.replicas}")
    history = _remember(history, look)
    wish = _limited(spec, _wish(spec, look, history), look)
    return _calmed(spec, look, history, wish)


def _remember(history: ScalingHistory, look: Look) -> ScalingHistory:
    """Adds this look: since when the backlog is unknown, and the rates."""
    if look.ready is None:
        since = look.clock if history.unknown_since is None else history.unknown_since
        return replace(history, unknown_since=since)
    rates = history.rates
    if look.added is not None and look.lag is not None and look.exact:
        sample = Sample(look.rate_clock, look.added, look.ready, look.lag, look.workers)
        rates = rates.observe(sample)
    return replace(history, unknown_since=None, rates=rates)


def _wish(spec: Scaling, look: Look, history: ScalingHistory) -> _Wish:
    """The number that this look alone asks for, without bounds."""
    if look.ready is None:
        return _unknown(spec, look, history)
    if look.ready == 0:
        return _idle(spec, look, history)
    words = f"{'' if look.exact else 'at most '}{look.ready:,} ready"
    need = _need(spec, look.ready, history.rates)
    keep_up = _keep_up(look, history.rates)
    if keep_up > need.replicas:
        why = f"{words}; {keep_up} keep up with {_rate(history.rates)}"
        return _Wish(keep_up, Cause.ARRIVALS, why)
    return replace(need, reason=f"{words}, {need.reason}")


def _unknown(spec: Scaling, look: Look, history: ScalingHistory) -> _Wish:
    """Holds; after a while goes to fallbackReplicas, but never to 0 from above."""
    held = _Wish(look.current, Cause.BACKLOG_UNKNOWN, f"backlog unknown: holding {look.current}")
    if spec.fallback_replicas is None:
        return held
    since = look.clock if history.unknown_since is None else history.unknown_since
    left = since + spec.scale_down_after.total_seconds() - look.clock
    if left > 0:
        return replace(held, next_look=left)
    fallback = max(spec.fallback_replicas, min(look.current, 1))
    words = f"backlog unknown for long: fallbackReplicas {fallback}"
    return _Wish(fallback, Cause.FALLBACK, words, waited=True)


def _idle(spec: Scaling, look: Look, history: ScalingHistory) -> _Wish:
    """Nothing is ready: zero, unless something falls due before zero would pay."""
    keep_up = _keep_up(look, history.rates)
    if keep_up > 0:
        words = f"nothing waits; {keep_up} keep up with {_rate(history.rates)}"
        # When the arrivals end no backlog changes any more: only looking again lets go.
        return _Wish(keep_up, Cause.ARRIVALS, words, RATE_LOOK)
    if look.next_due is None:
        return _Wish(0, Cause.IDLE, "nothing is ready and nothing falls due")
    # A pod that runs stays for what falls due soon; a pod that does not starts just in time.
    patience = look.startup + (spec.scale_down_after.total_seconds() if look.current else 0.0)
    if look.next_due <= patience:
        return _Wish(1, Cause.RETRY_DUE, "nothing is ready, but a retry falls due soon")
    return _Wish(
        0,
        Cause.IDLE,
        "nothing is ready; retries fall due later",
        look.next_due - look.startup,
    )


def _need(spec: Scaling, ready: int, rates: Rates) -> _Wish:
    """Workers that the targets need, and how that was reckoned."""
    by_backlog = ceil(ready / spec.target_backlog)
    backlog = _Wish(by_backlog, Cause.BACKLOG, f"{spec.target_backlog:,} for each worker")
    delay = spec.target_delay
    if delay is None or rates.per_worker is None or rates.arrival is None:
        return backlog
    by_delay = ceil((rates.arrival + ready / delay.total_seconds()) / rates.per_worker)
    if by_backlog >= by_delay:
        return backlog
    words = f"to be worked off in {delay.total_seconds():g} s at {_rate(rates)}"
    return _Wish(by_delay, Cause.DELAY, words)


def _keep_up(look: Look, rates: Rates) -> int:
    """Workers that today's arrivals need; with nothing ready it only holds those there are."""
    if not rates.arrival:
        return 0
    workers = rates.workers_for(rates.arrival, look.rate_clock) or 0
    return workers if look.ready else min(look.current, workers)


def _rate(rates: Rates) -> str:
    return f"{rates.arrival or 0:,.1f}/s arriving, {rates.per_worker or 0:,.1f}/s for each worker"


def _limited(spec: Scaling, wish: _Wish, look: Look) -> _Wish:
    """Bounds, and no more workers of an image that cannot run."""
    if look.crash_looping and not look.workers and wish.replicas > 0:
        words = f"{look.crash_looping} workers keep crashing and none is ready: no more of them"
        wish = replace(wish, replicas=1, cause=Cause.WORKERS_CRASHING, reason=words)
    if wish.replicas > spec.max_replicas:
        words = f"{wish.reason}: {wish.replicas}, held at maxReplicas {spec.max_replicas}"
        return replace(wish, replicas=spec.max_replicas, cause=Cause.AT_MAXIMUM, reason=words)
    if wish.replicas < spec.min_replicas:
        words = f"{wish.reason}: minReplicas {spec.min_replicas}"
        return replace(wish, replicas=spec.min_replicas, cause=_at_minimum(wish), reason=words)
    return wish


def _calmed(spec: Scaling, look: Look, history: ScalingHistory, wish: _Wish) -> ScalingDecision:
    """Up at once; down to the highest wish of the last scaleDownAfter."""
    window = spec.scale_down_after.total_seconds()
    # Nothing is remembered after a restart of the operator: what runs now counts as a wish.
    start = ((look.clock, min(look.current, spec.max_replicas)),)
    known = () if wish.waited else history.wishes or start
    recent = tuple(w for w in known if look.clock - w[0] < window)
    kept = (*(w for w in recent if w[1] > wish.replicas), (look.clock, wish.replicas))
    history = replace(history, wishes=kept)
    held_at, replicas = kept[0]
    replicas = min(replicas, spec.max_replicas)
    if replicas == wish.replicas:
        return ScalingDecision(replicas, wish.cause, wish.reason, wish.next_look, history)
    left = max(held_at + window - look.clock, 0.0)
    looks = [left] if wish.next_look is None else [left, wish.next_look]
    reason = f"{wish.reason}: {wish.replicas}, but {replicas} were needed in the last {window:g} s"
    cause = wish.cause if wish.cause in _TROUBLE else Cause.STABILIZING
    return ScalingDecision(replicas, cause, reason, min(looks), history)


def _at_minimum(wish: _Wish) -> Cause:
    return wish.cause if wish.cause in _TROUBLE else Cause.AT_MINIMUM
