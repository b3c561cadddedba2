"""The sentences of headrace_operator.reconcile.work_queue's docstring, each as a test."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_clock import run

from headrace_operator.reconcile.work_queue import WorkQueue


def now() -> float:
    return asyncio.get_running_loop().time()


async def next_within(queue: WorkQueue[str], seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            return await queue.get()
    except TimeoutError:
        return None


def test_a_key_waits_at_most_once() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for _ in range(5):
            queue.put("a")
        queue.put_after("a", 3)
        assert await queue.get() == "a"
        queue.done("a")
        assert await next_within(queue, 100) is None

    run(main())


def test_a_key_in_hand_is_handed_out_again_only_after_done() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.put("a")
        assert await queue.get() == "a"
        queue.put("a")
        assert await next_within(queue, 100) is None
        queue.done("a")
        assert await next_within(queue, 0.001) == "a"

    run(main())


@pytest.mark.parametrize(("first_delay", "second_delay"), [(10, 3), (3, 10)])
def test_the_earliest_due_time_wins(first_delay: float, second_delay: float) -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.put_after("a", first_delay)
        queue.put_after("a", second_delay)
        assert await queue.get() == "a"
        assert now() == pytest.approx(3, abs=0.01)
        queue.done("a")
        assert await next_within(queue, 100) is None, "the later time was forgotten"

    run(main())


def test_a_put_makes_a_delayed_key_due_now() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.put_after("a", 50)
        queue.put("a")
        assert await queue.get() == "a"
        assert now() == 0

    run(main())


def test_backoff_doubles_to_the_cap_and_starts_over_after_success() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay=1, max_delay=5, jitter=lambda: 1.0)
        delays = []
        for _ in range(5):
            delays.append(queue.put_backoff("a"))
            queue.done(await queue.get())
        assert delays == [1, 2, 4, 5, 5]
        queue.forget_failures("a")
        assert queue.put_backoff("a") == 1

    run(main())


def test_no_backoff_is_longer_than_ten_seconds() -> None:
    """What hindered the work may be mended by then, and a status promises that much."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        delays = []
        for _ in range(100):
            delays.append(queue.put_backoff("a"))
            queue.done(await queue.get())
        assert 6 < max(delays) < 10

    run(main())


def test_a_put_during_the_backoff_is_obeyed_at_once() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay=30, jitter=lambda: 1.0)
        queue.put_backoff("a")
        queue.put("a")
        await queue.get()
        assert now() == 0

    run(main())


def test_the_wait_is_measured_from_the_time_a_key_became_due() -> None:
    async def main() -> None:
        waits: list[float] = []
        queue: WorkQueue[str] = WorkQueue(on_wait=waits.append)
        queue.put("a")
        await asyncio.sleep(7)
        await queue.get()
        assert waits == [pytest.approx(7, abs=0.01)]

    run(main())


def test_a_cancelled_worker_gives_its_key_back() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        started = asyncio.Event()

        async def hang(_key: str) -> None:
            started.set()
            await asyncio.Event().wait()

        worker = asyncio.create_task(queue.work(hang))
        queue.put("a")
        await started.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        assert await next_within(queue, 1) == "a"

    run(main())


def test_a_failing_key_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay=1, jitter=lambda: 1.0)
        seen: list[tuple[str, float]] = []

        async def handle(key: str) -> float | None:
            seen.append((key, round(now(), 2)))
            if key == "poison":
                raise ValueError(key)
            return 10 if key == "periodic" else None

        worker = asyncio.create_task(queue.work(handle))
        for key in ("poison", "good", "periodic"):
            queue.put(key)
        await asyncio.sleep(16)
        worker.cancel()
        assert [at for key, at in seen if key == "poison"] == [0, 1, 3, 7, 15]
        assert [at for key, at in seen if key == "good"] == [0]
        assert [at for key, at in seen if key == "periodic"] == [0, 10]

    run(main())


@given(
    puts=st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.floats(0, 20),  # when it is put
            st.one_of(st.none(), st.floats(0.01, 10)),  # put, or put_after
        ),
        max_size=40,
    ),
    workers=st.integers(1, 4),
    duration=st.floats(0, 3),
)
def test_every_put_is_served_and_no_key_twice_at_once(
    puts: list[tuple[str, float, float | None]], workers: int, duration: float
) -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        running: Counter[str] = Counter()
        started_at: dict[str, list[float]] = {key: [] for key in "abcd"}

        async def handle(key: str) -> None:
            running[key] += 1
            assert running[key] == 1, "one worker per key"
            started_at[key].append(now())
            await asyncio.sleep(duration)
            running[key] -= 1

        tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
        for key, at, delay in sorted(puts, key=lambda put: put[1]):
            await asyncio.sleep(max(at - now(), 0))
            if delay is None:
                queue.put(key)
            else:
                queue.put_after(key, delay)
        await asyncio.sleep(1000)
        for task in tasks:
            assert not task.done(), "no worker ever ends by itself"
            task.cancel()
        for key, at, delay in puts:
            # Served at or after the put: with a delay an earlier due time may have answered it,
            # but never one before the put itself.
            assert started_at[key], (key, delay)
            assert started_at[key][-1] >= at - 1e-6
        assert sum(map(len, started_at.values())) <= len(puts)

    run(main())
