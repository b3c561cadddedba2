"""Decides how many workers a group needs, and says why.

Pure: the spec, the state of the group and the history decide, nothing else. Up goes at once,
straight to the number that the target needs. Down waits until every proposal of the last
scaleDownAfter was lower. To zero only when the backlog is known to be 0 and nothing falls due
soon. While the backlog is unknown, the number of workers is held.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

from headrace_api.v1alpha1 import Scaling, ScalingMode
from headrace_operator.scaling.causes import Cause
from headrace_operator.scaling.throughput import Rates, Sample

# How soon to decide again while only the arrival rate keeps workers: when arrivals end, no
# backlog changes and nothing else would wake the pipeline.
RATE_RECHECK_SECONDS = 5.0
# Until a start of this group's pods was measured.
DEFAULT_STARTUP_SECONDS = 10.0
# Causes that stay visible, whatever number of workers they lead to.
_TROUBLE = frozenset({Cause.BACKLOG_UNKNOWN, Cause.FALLBACK, Cause.WORKERS_CRASHING})


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is known of one group at `clock` (monotonic seconds).

    read_at    when Redis was read, seconds by its own clock; None: at `clock`.
    ready      lag + pending - parked not yet due; None: unknown.
    lag        entries not delivered yet; None: unknown.
    exact      False: `ready` is an upper bound.
    added      entries ever added to the stream; None: unknown.
    next_due   seconds until the earliest parked entry falls due (<= 0: due now); None: none.
    current    replicas asked for at present. workers: pods ready at present.
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
    startup: float = DEFAULT_STARTUP_SECONDS
    read_at: float | None = None

    @property
    def rate_clock(self) -> float:
        """Rates are reckoned by the clock of what was counted: a reading may be old already."""
        return self.clock if self.read_at is None else self.read_at


@dataclass(frozen=True, slots=True)
class ScalingHistory:
    """What `decide` remembers from call to call. Empty for a group never seen before.

    proposals: (clock, replicas), oldest first and falling: those that still hold the number up.
    """

    proposals: tuple[tuple[float, int], ...] = ()
    unknown_since: float | None = None
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """`replicas` wanted now; `reason` for people; decide again after `requeue_after` seconds, or
    with a newer reading of the backlog where `asks_again`.
    """

    replicas: int
    cause: Cause
    reason: str
    requeue_after: float | None = None
    history: ScalingHistory = field(default_factory=ScalingHistory)
    asks_again: bool = False


@dataclass(frozen=True, slots=True)
class _Proposal:
    """`waited`: already waited scaleDownAfter, so it skips stabilization."""

    replicas: int
    cause: Cause
    reason: str
    requeue_after: float | None = None
    waited: bool = False


def decide(spec: Scaling, state: GroupState, history: ScalingHistory) -> ScalingDecision:
    """Replicas for a group in mode Fixed or Automatic; External is never asked."""
    if spec.mode is ScalingMode.FIXED:
        return ScalingDecision(spec.replicas or 0, Cause.FIXED, f"fixed at {spec.replicas}")
    history = _remember(history, state)
    proposal = _limited(spec, _propose(spec, state, history), state)
    return _stabilized(spec, state, history, proposal)


def _remember(history: ScalingHistory, state: GroupState) -> ScalingHistory:
    """Adds this state: since when the backlog is unknown, and the rates."""
    if state.ready is None:
        since = state.clock if history.unknown_since is None else history.unknown_since
        return replace(history, unknown_since=since)
    rates = history.rates
    if state.added is not None and state.lag is not None and state.exact:
        sample = Sample(state.rate_clock, state.added, state.ready, state.lag, state.workers)
        rates = rates.observe(sample)
    return replace(history, unknown_since=None, rates=rates)


def _propose(spec: Scaling, state: GroupState, history: ScalingHistory) -> _Proposal:
    """The number that this state alone asks for, without bounds."""
    if state.ready is None:
        return _unknown(spec, state, history)
    if state.ready == 0:
        return _idle(spec, state, history)
    words = f"{'' if state.exact else 'at most '}{state.ready:,} ready"
    need = _need(spec, state.ready, history.rates)
    keep_up = _keep_up(state, history.rates)
    if keep_up > need.replicas:
        why = f"{words}; {keep_up} keep up with {_rate(history.rates)}"
        return _Proposal(keep_up, Cause.ARRIVALS, why)
    return replace(need, reason=f"{words}, {need.reason}")


def _unknown(spec: Scaling, state: GroupState, history: ScalingHistory) -> _Proposal:
    """Holds; after a while goes to fallbackReplicas, but never to 0 from above."""
    held = _Proposal(
        state.current, Cause.BACKLOG_UNKNOWN, f"backlog unknown: holding {state.current}"
    )
    if spec.fallback_replicas is None:
        return held
    since = state.clock if history.unknown_since is None else history.unknown_since
    left = since + spec.scale_down_after.total_seconds() - state.clock
    if left > 0:
        return replace(held, requeue_after=left)
    fallback = max(spec.fallback_replicas, min(state.current, 1))
    words = f"backlog unknown for long: fallbackReplicas {fallback}"
    return _Proposal(fallback, Cause.FALLBACK, words, waited=True)


def _idle(spec: Scaling, state: GroupState, history: ScalingHistory) -> _Proposal:
    """Nothing is ready: zero, unless something falls due before zero would pay."""
    keep_up = _keep_up(state, history.rates)
    if keep_up > 0:
        words = f"nothing waits; {keep_up} keep up with {_rate(history.rates)}"
        return _Proposal(keep_up, Cause.ARRIVALS, words, RATE_RECHECK_SECONDS)
    if state.next_due is None:
        return _Proposal(0, Cause.IDLE, "nothing is ready and nothing falls due")
    # A pod that runs stays for what falls due soon; a pod that does not starts just in time.
    patience = state.startup + (spec.scale_down_after.total_seconds() if state.current else 0.0)
    if state.next_due <= patience:
        return _Proposal(1, Cause.RETRY_DUE, "nothing is ready, but a retry falls due soon")
    return _Proposal(
        0,
        Cause.IDLE,
        "nothing is ready; retries fall due later",
        state.next_due - state.startup,
    )


def _need(spec: Scaling, ready: int, rates: Rates) -> _Proposal:
    """Workers that the targets need, and how that was reckoned."""
    by_backlog = ceil(ready / spec.target_backlog)
    backlog = _Proposal(by_backlog, Cause.BACKLOG, f"{spec.target_backlog:,} for each worker")
    delay = spec.target_delay
    if delay is None or rates.per_worker is None or rates.arrival is None:
        return backlog
    by_delay = ceil((rates.arrival + ready / delay.total_seconds()) / rates.per_worker)
    if by_backlog >= by_delay:
        return backlog
    words = f"to be worked off in {delay.total_seconds():g} s at {_rate(rates)}"
    return _Proposal(by_delay, Cause.DELAY, words)


def _keep_up(state: GroupState, rates: Rates) -> int:
    """Workers that today's arrivals need; with nothing ready it only holds those there are."""
    if not rates.arrival:
        return 0
    workers = rates.workers_for(rates.arrival, state.rate_clock) or 0
    return workers if state.ready else min(state.current, workers)


def _rate(rates: Rates) -> str:
    return f"{rates.arrival or 0:,.1f}/s arriving, {rates.per_worker or 0:,.1f}/s for each worker"


def _limited(spec: Scaling, proposal: _Proposal, state: GroupState) -> _Proposal:
    """Bounds, and no more workers of an image that cannot run."""
    if state.crash_looping and not state.workers and proposal.replicas > 0:
        words = f"{state.crash_looping} workers keep crashing and none is ready: no more of them"
        proposal = replace(proposal, replicas=1, cause=Cause.WORKERS_CRASHING, reason=words)
    if proposal.replicas > spec.max_replicas:
        words = f"{proposal.reason}: {proposal.replicas}, held at maxReplicas {spec.max_replicas}"
        return replace(proposal, replicas=spec.max_replicas, cause=Cause.AT_MAXIMUM, reason=words)
    if proposal.replicas < spec.min_replicas:
        words = f"{proposal.reason}: minReplicas {spec.min_replicas}"
        return replace(
            proposal, replicas=spec.min_replicas, cause=_at_minimum(proposal), reason=words
        )
    return proposal


def _stabilized(
    spec: Scaling, state: GroupState, history: ScalingHistory, proposal: _Proposal
) -> ScalingDecision:
    """Up at once; down to the highest proposal of the last scaleDownAfter."""
    window = spec.scale_down_after.total_seconds()
    # Nothing is remembered after a restart of the operator: what runs now counts as a proposal.
    start = ((state.clock, min(state.current, spec.max_replicas)),)
    known = () if proposal.waited else history.proposals or start
    recent = tuple(w for w in known if state.clock - w[0] < window)
    kept = (*(w for w in recent if w[1] > proposal.replicas), (state.clock, proposal.replicas))
    history = replace(history, proposals=kept)
    held_at, replicas = kept[0]
    replicas = min(replicas, spec.max_replicas)
    if replicas == proposal.replicas:
        return ScalingDecision(
            replicas, proposal.cause, proposal.reason, proposal.requeue_after, history
        )
    left = max(held_at + window - state.clock, 0.0)
    delays = [left] if proposal.requeue_after is None else [left, proposal.requeue_after]
    needed = f"{replicas} were needed in the last {window:g} s"
    reason = f"{proposal.reason}: {proposal.replicas}, but {needed}"
    cause = proposal.cause if proposal.cause in _TROUBLE else Cause.STABILIZING
    return ScalingDecision(replicas, cause, reason, min(delays), history)


def _at_minimum(proposal: _Proposal) -> Cause:
    return proposal.cause if proposal.cause in _TROUBLE else Cause.AT_MINIMUM
