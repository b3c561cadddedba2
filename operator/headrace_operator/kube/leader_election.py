"""Leader election by a coordination.k8s.io Lease: one replica writes, the other waits, warm.

- The holder renews every `retry_period`. Its licence to write ends `renew_deadline` seconds
  after the last renewal *was sent*, on a clock that counts the machine's sleep; `check` is asked
  before every write. A write sent in the last moment is over before anybody else may take the
  Lease, because request timeout < lease_duration - renew_deadline.
- A waiting replica takes the Lease when it has watched the same record for `lease_duration` on
  its own clock: clocks of machines are never compared.
- A clean exit gives the Lease back, so that the other replica starts within `retry_period`.
- Losing the Lease is final: `hold` raises LeaseLost and the process exits; a replica that came
  back from a pause must not go on with what it believed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from headrace_operator.kube.api_server import ApiError, ApiUnreachable
from headrace_operator.kube.kinds import LEASE, Kind, Manifest
from headrace_operator.kube.micro_time import micro_time

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """This process may not write any more."""


class LeaseApi(Protocol):
    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None: ...
    async def create(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest: ...
    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest: ...


def boot_clock() -> float:
    """Seconds since boot, those asleep included (Linux; elsewhere the monotonic clock)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError("the lease needs retry period < renew deadline < lease duration")

    @property
    def request_timeout(self) -> float:
        """What a write may take: less than the gap in which nobody may write."""
        return (self.lease_duration - self.renew_deadline) * 0.8


class LeaderElection:
    def __init__(
        self,
        api: LeaseApi,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times
        self._clock = clock
        self._licence_until: float | None = None
        self._live: Manifest | None = None
        self._seen: tuple[Any, ...] | None = None
        self._seen_at = 0.0
        self.refusal: str | None = None
        """Why the Lease can neither be read nor taken, in the API server's words."""

    @property
    def held(self) -> bool:
        return self._licence_until is not None and self._clock() < self._licence_until

    @property
    def term(self) -> tuple[str, int] | None:
        """The Lease's uid and how often it changed hands, as of our last write of it."""
        if self._live is None:
            return None
        transitions = int((self._live.get("spec") or {}).get("leaseTransitions") or 0)
        return str(self._live["metadata"].get("uid", "")), transitions

    def check(self) -> None:
        """Raise LeaseLost unless this process may write now."""
        if not self.held:
            raise LeaseLost(f"{self._identity} does not hold Lease {self._namespace}/{self._name}")

    async def acquire(self) -> None:
        """Wait until this process is the holder."""
        while not await self._try_to_take():  # noqa: ASYNC110 - the other side is remote
            await asyncio.sleep(self._times.retry_period)
        logger.info("leading", extra={"lease": f"{self._namespace}/{self._name}"})

    async def hold(self) -> None:
        """Renew until cancelled; raises LeaseLost."""
        while True:
            await asyncio.sleep(self._times.retry_period)
            self.check()
            await self._renew()

    async def release(self) -> None:
        """Give the Lease back, if it is still ours."""
        if self._live is None or not self.held:
            return
        self._licence_until = None
        spec = {**self._live["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._api.replace(LEASE, {**self._live, "spec": spec})
        except (ApiError, ApiUnreachable) as error:
            logger.warning("the Lease was not given back and runs out by itself: %s", error)

    async def _renew(self) -> None:
        for last_try in (False, True):
            assert self._live is not None
            sent = self._clock()
            spec = {**self._live["spec"], "renewTime": micro_time()}
            try:
                self._live = await self._api.replace(LEASE, {**self._live, "spec": spec})
            except (ApiError, ApiUnreachable) as error:
                logger.warning("the Lease could not be renewed yet: %s", error)
                # Changed since we saw it, perhaps by a renewal of ours whose answer was lost.
                stale = isinstance(error, ApiUnreachable) or (error.is_missing or error.is_conflict)
                if last_try or not stale or not await self._read_again():
                    return
            else:
                self._licence_until = sent + self._times.renew_deadline
                return

    async def _read_again(self) -> bool:
        """True: it is still ours, and known as it is now. Raises LeaseLost when it is not ours."""
        try:
            live = await self._api.get(LEASE, self._namespace, self._name)
        except (ApiError, ApiUnreachable) as error:
            logger.warning("the Lease could not be read: %s", error)
            return False
        if live is None or live["spec"].get("holderIdentity") != self._identity:
            self._licence_until = None
            raise LeaseLost("another replica has taken the Lease")
        self._live = live
        return True

    async def _try_to_take(self) -> bool:
        try:
            live = await self._api.get(LEASE, self._namespace, self._name)
            sent = self._clock()
            if live is None:
                self._live = await self._api.create(LEASE, self._namespace, self._new())
            elif self._may_take(live, sent):
                self._live = await self._api.replace(LEASE, self._taken_from(live))
            else:
                self.refusal = None
                return False
        except ApiError as error:
            if error.is_conflict:  # somebody was quicker
                self.refusal = None
            else:
                logger.warning("the Lease could not be taken: %s", error)
                self.refusal = f"the Lease cannot be taken: {error.message}"
            return False
        except ApiUnreachable as error:
            logger.warning("the Lease could not be taken: %s", error)
            return False
        self.refusal = None
        self._licence_until = sent + self._times.renew_deadline
        return True

    def _may_take(self, live: Manifest, now: float) -> bool:
        spec = live.get("spec") or {}
        holder = spec.get("holderIdentity")
        record = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._seen:
            self._seen, self._seen_at = record, now
        if not holder or holder == self._identity:  # ours: the answer to our own write was lost
            return True
        # The holder's own promise counts, should replicas be configured differently.
        duration = max(self._times.lease_duration, spec.get("leaseDurationSeconds") or 0)
        return now - self._seen_at > duration

    def _new(self) -> Manifest:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": self._record(transitions=0),
        }

    def _taken_from(self, live: Manifest) -> Manifest:
        transitions = int((live.get("spec") or {}).get("leaseTransitions") or 0) + 1
        return {**live, "spec": self._record(transitions)}

    def _record(self, transitions: int) -> dict[str, Any]:
        now = micro_time()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.lease_duration),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
