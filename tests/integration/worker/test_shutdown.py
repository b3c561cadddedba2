"""Workers told to end finish what runs and give the rest back."""

import asyncio
import contextlib
import signal

import pytest
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import (
    DEAD,
    GROUP,
    PARKED,
    STREAM,
    WAITING,
    Stage,
    numbers,
    worker,
    workers,
)

import headrace


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_finish_what_runs_and_hands_the_rest_back_uncounted(
    stage: Stage, number: signal.Signals
) -> None:
    with workers(stage, WAITING, concurrency=1) as group:
        first = group.start("pod-a")
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        stage.send(*({"n": n} for n in range(100, 200)))
        eventually_sync(lambda: stage.settled)  # fast, so that it reads ahead
        stage.send({"n": 0, "seconds": 1}, *({"n": n} for n in range(1, 4)))
        eventually_sync(lambda: "start 0" in " ".join(group.effects))
        eventually_sync(lambda: stage.pending > 1)
        first.signal(number)
        assert first.process.wait(20) == 0
        assert set(numbers(group.effects, "end")) == {0, *range(100, 200)}
        assert stage.consumers == set()
        counts = stage.redis.xpending_range(STREAM, GROUP, "-", "+", 10)
        assert [one["consumer"] for one in counts] == [PARKED] * len(counts)
        assert {one["times_delivered"] for one in counts} <= {0}
        group.start("pod-b")
        eventually_sync(lambda: stage.settled)
    assert numbers(group.effects, "start") == dict.fromkeys([*range(4), *range(100, 200)], 1)


async def test_what_shutdown_cuts_short_is_handed_back_with_its_delivery_counted(
    stage: Stage,
) -> None:
    app = headrace.App()
    begun: list[int] = []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        begun.append(event["n"])
        if event["n"] == 1:
            raise headrace.Reject("bad")
        await asyncio.sleep(60)

    async with worker(stage, app, concurrency=2, delivery={"handlerTimeout": "50s"}) as runtime:
        stage.redis.set(DEAD, "no stream")
        stage.send({"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": 5})
        await eventually(lambda: runtime.metrics.counts["commit_failures"])
        await eventually(lambda: begun == [1, 2, 3])
    assert stage.consumers == set()
    counts = stage.redis.xpending_range(STREAM, GROUP, "-", "+", 10)
    assert [one["consumer"] for one in counts] == [PARKED] * len(counts)
    assert [one["times_delivered"] for one in counts][:3] == [1, 1, 1]
    assert {one["times_delivered"] for one in counts[3:]} <= {0}


async def test_shutdown_claims_nothing_though_a_cancellation_is_swallowed(
    stage: Stage, monkeypatch
) -> None:
    app, checking = headrace.App(), asyncio.Event()
    claims: list[bool] = []

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await asyncio.sleep(60)

    async def deaf_once() -> None:
        checking.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    async with worker(stage, app, delivery={"handlerTimeout": "50s"}) as runtime:
        take_due = runtime.claims.take_due

        async def noted() -> tuple[int, int | None]:
            claims.append(runtime.env.shutting_down)
            return await take_due()

        monkeypatch.setattr(runtime.claims, "take_due", noted)
        monkeypatch.setattr(runtime.claims, "_check_groups", deaf_once)
        stage.send({"n": 1})  # shutdown waits for its handler, and for no other reason
        await eventually(lambda: runtime.dispatcher.running)
        await eventually(checking.is_set)
    assert claims
    assert not any(claims)


def test_a_second_signal_stops_at_once_and_loses_nothing(stage: Stage) -> None:
    with workers(stage, WAITING) as group:
        first = group.start("pod-a")
        eventually_sync(lambda: stage.redis.exists(STREAM) and stage.redis.xinfo_groups(STREAM))
        stage.send({"n": 1, "seconds": 60})
        eventually_sync(lambda: len(group.effects) == 1)
        first.signal(signal.SIGTERM)
        eventually_sync(lambda: "stopping" in first.text)
        first.signal(signal.SIGINT)
        assert first.process.wait(3) == 128 + signal.SIGINT
        assert stage.pending == 1
        group.quicken()
        group.start("pod-b")
        eventually_sync(lambda: stage.settled)


HANDLERS = """
    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        effect(f"start {event['n']}")
"""
IMPORTING = """
    effect("importing")
    time.sleep(60)
"""
STARTING = """
    @app.lifespan
    async def around(app):
        effect("starting")
        try:
            await asyncio.sleep(60)
            yield
        finally:
            effect("left")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("body", "left"), [(IMPORTING, []), (STARTING, ["left"])])
def test_a_signal_ends_a_worker_that_has_not_begun(
    stage: Stage, body: str, left: list[str], number: signal.Signals
) -> None:
    stage.send({"n": 1})
    with workers(stage, HANDLERS + body) as group:
        one = group.start()
        eventually_sync(lambda: len(group.effects) == 1)
        one.signal(number)
        assert one.process.wait(20) == 0
        assert group.effects[1:] == left
        assert "Traceback" not in one.text
    assert not stage.redis.xinfo_groups(STREAM)


def test_a_signal_that_the_handlers_module_swallows_ends_the_worker_all_the_same(
    stage: Stage,
) -> None:
    swallowing = """
    effect("importing")
    try:
        time.sleep(60)
    except BaseException:
        pass
    """
    stage.send({"n": 1})
    with workers(stage, HANDLERS + swallowing) as group:
        one = group.start()
        eventually_sync(lambda: len(group.effects) == 1)
        one.signal(signal.SIGTERM)
        assert one.process.wait(20) == 0
        assert group.effects == ["importing"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_child_that_a_handler_forks_and_ends_is_not_the_worker(stage: Stage, kind: str) -> None:
    forking = f"""
    import multiprocessing

    @app.on("flight.landed")
    {kind} landed(event: dict):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        child.terminate()
        child.join()
        effect(f"child {{child.exitcode}}")
    """
    with workers(stage, forking) as group:
        one = group.start()
        stage.send({"n": 1}, {"n": 2})
        eventually_sync(lambda: stage.settled)
        assert group.effects == ["child -15"] * 2
        assert "stopping" not in one.text
        one.signal(signal.SIGTERM)
        assert one.process.wait(20) == 0
