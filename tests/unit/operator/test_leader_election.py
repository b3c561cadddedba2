"""Who may write, and until when? In fake time, against an API server of twenty lines."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.fake_clock import run

from headrace_operator.kube.api_server import ApiError, ApiUnreachable
from headrace_operator.kube.kinds import Kind
from headrace_operator.kube.leader_election import LeaderElection, LeaseLost, LeaseTimes

TIMES = LeaseTimes(lease_duration=15, renew_deadline=10, retry_period=2)


class FakeApi:
    """One Lease with optimistic concurrency; may be cut off, or lose answers."""

    def __init__(self) -> None:
        self.live: dict[str, Any] | None = None
        self.version = 0
        self.cut_off = False
        self.lose_answers = False
        self.paused = 0.0

    async def get(self, _kind: Kind, _namespace: str | None, _name: str) -> dict[str, Any] | None:
        self._answer()
        return copy.deepcopy(self.live)

    async def create(self, _kind: Kind, _namespace: str, manifest: dict[str, Any]) -> Any:
        if self.cut_off:
            raise ApiUnreachable("cut off")
        if self.live is not None:
            raise ApiError(409, "AlreadyExists", "", "create")
        return self._store(manifest)

    async def replace(self, _kind: Kind, manifest: dict[str, Any]) -> Any:
        if self.cut_off:
            raise ApiUnreachable("cut off")
        if self.live is None:
            raise ApiError(404, "NotFound", "", "replace")
        if manifest["metadata"]["resourceVersion"] != self.live["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "", "replace")
        return self._store(manifest)

    def _store(self, manifest: dict[str, Any]) -> Any:
        self.version += 1
        self.live = copy.deepcopy(manifest)
        self.live["metadata"]["resourceVersion"] = str(self.version)
        self._answer()
        return copy.deepcopy(self.live)

    def _answer(self) -> None:
        if self.cut_off or self.lose_answers:
            raise ApiUnreachable("no answer")


def now() -> float:
    return asyncio.get_running_loop().time()


def lease(api: FakeApi, identity: str, clock: Callable[[], float] = now) -> LeaderElection:
    return LeaderElection(api, namespace="n", name="l", identity=identity, times=TIMES, clock=clock)


def test_only_one_of_two_leads_and_the_other_follows_a_crash_after_the_lease_duration() -> None:
    async def main() -> None:
        api = FakeApi()
        first, second = lease(api, "first"), lease(api, "second")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(100)
        assert first.held
        assert not waiting.done()
        holding.cancel()  # kill -9
        crashed_at = now()
        await waiting
        assert TIMES.lease_duration - TIMES.retry_period <= now() - crashed_at
        assert now() - crashed_at <= TIMES.lease_duration + 2 * TIMES.retry_period
        assert not first.held
        with pytest.raises(LeaseLost):
            first.check()

    run(main())


def test_a_clean_exit_hands_over_within_the_retry_period() -> None:
    async def main() -> None:
        api = FakeApi()
        first, second = lease(api, "first"), lease(api, "second")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(5)
        released_at = now()
        await first.release()
        with pytest.raises(LeaseLost):
            first.check()
        await waiting
        assert now() - released_at <= TIMES.retry_period

    run(main())


def test_a_cut_off_leader_stops_before_anybody_else_may_start() -> None:
    async def main() -> None:
        api = FakeApi()
        first = lease(api, "first")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(20)
        api.cut_off = True
        cut_off_at = now()
        with pytest.raises(LeaseLost):
            await holding
        assert now() - cut_off_at <= TIMES.renew_deadline + TIMES.retry_period
        assert TIMES.renew_deadline + TIMES.request_timeout < TIMES.lease_duration

    run(main())


def test_the_licence_ends_by_the_clock_even_if_the_process_was_not_running() -> None:
    async def main() -> None:
        api = FakeApi()
        asleep = 0.0
        first = lease(api, "first", clock=lambda: now() + asleep)
        await first.acquire()
        first.check()
        asleep = 11.0  # SIGSTOP, or the machine slept: no code of ours ran
        with pytest.raises(LeaseLost):
            first.check()

    run(main())


def test_a_short_outage_is_survived() -> None:
    async def main() -> None:
        api = FakeApi()
        first = lease(api, "first")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(10)
        api.cut_off = True
        await asyncio.sleep(6)
        api.cut_off = False
        await asyncio.sleep(60)
        assert first.held
        assert not holding.done()
        holding.cancel()

    run(main())


def test_a_renewal_whose_answer_was_lost_does_not_lose_the_lease() -> None:
    async def main() -> None:
        api = FakeApi()
        first = lease(api, "first")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(1)
        api.lose_answers = True  # the writes arrive, their answers do not
        await asyncio.sleep(6)
        api.lose_answers = False
        await asyncio.sleep(60)
        assert first.held
        assert not holding.done()
        holding.cancel()

    run(main())


def test_a_taking_whose_answer_was_lost_is_recognised_as_ours() -> None:
    async def main() -> None:
        api = FakeApi()
        await lease(api, "gone").acquire()
        assert api.live is not None
        api.live["spec"]["holderIdentity"] = ""
        first = lease(api, "first")
        original = api.replace

        async def lost(kind: Kind, manifest: dict[str, Any]) -> Any:
            await original(kind, manifest)
            api.replace = original  # type: ignore[method-assign]
            raise ApiUnreachable("no answer")

        api.replace = lost  # type: ignore[method-assign, assignment]
        await first.acquire()
        assert now() <= 2 * TIMES.retry_period

    run(main())


def test_a_leader_whose_lease_was_taken_says_so_and_ends() -> None:
    async def main() -> None:
        api = FakeApi()
        first = lease(api, "first")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(1)
        assert api.live is not None
        api.live["spec"]["holderIdentity"] = "second"
        api.live["metadata"]["resourceVersion"] = "77"
        with pytest.raises(LeaseLost):
            await holding
        assert now() <= 1 + 2 * TIMES.retry_period

    run(main())


def test_times_that_would_allow_two_leaders_are_refused() -> None:
    with pytest.raises(ValueError, match="retry period < renew deadline < lease duration"):
        LeaseTimes(lease_duration=10, renew_deadline=10, retry_period=2)
