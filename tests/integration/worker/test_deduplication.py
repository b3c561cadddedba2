"""What delivery.deduplicate does with events that come twice."""

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import GROUP, PARKED, STREAM, Stage, worker, workers

import headrace
from headrace.streams.connect import connect
from headrace.streams.groups import destroy_group
from headrace.streams.keys import StreamKeys

WINDOW = {"deduplicate": {"window": "60s", "field": "id"}}


def send(stage: Stage, *event_ids: bytes | str, field: str = "id") -> list[bytes]:
    return [
        stage.redis.xadd(
            STREAM,
            {"type": "flight.landed", "version": 1, "payload": json.dumps(n), field: event_id},
        )
        for n, event_id in enumerate(event_ids)
    ]


def mark(stage: Stage, event_id: bytes) -> bytes:
    """The key of an event's mark in this life of the group."""
    keys = StreamKeys(STREAM).for_group(GROUP)
    keys.life.begin((stage.redis.hget(keys.state, "life") or b"").decode())
    return keys.seen(event_id)


def counting_app() -> tuple[headrace.App, list[str]]:
    app, handled = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int, ctx: headrace.Context) -> None:
        handled.append(ctx.id)

    return app, handled


async def test_an_event_sent_twice_is_handled_once(stage: Stage) -> None:
    app, handled = counting_app()
    async with worker(stage, app, delivery=WINDOW) as runtime:
        first = send(stage, *(f"event-{n}" for n in range(250)))
        await eventually(lambda: stage.settled)
        send(stage, *(f"event-{n}" for n in range(250)))
        await eventually(lambda: stage.settled)
        await eventually(lambda: runtime.metrics.events["flight.landed/1", "duplicate"] == 250)
        assert runtime.metrics.events["flight.landed/1", "done"] == 250
    assert sorted(handled) == sorted(id_.decode() for id_ in first)
    assert stage.redis.get(mark(stage, b"event-3")) == b"m:" + first[3]
    assert 0 < stage.redis.pttl(mark(stage, b"event-3")) <= 60_000


async def test_an_event_forgotten_after_the_window_is_handled_again(stage: Stage) -> None:
    app, handled = counting_app()
    told = {"deduplicate": {"window": "1s", "field": "id"}}
    async with worker(stage, app, delivery=told):
        send(stage, "a")
        await eventually(lambda: len(handled) == 1 and stage.settled)
        await eventually(lambda: not stage.redis.exists(mark(stage, b"a")))
        send(stage, "a")
        await eventually(lambda: len(handled) == 2)


async def test_equal_ids_in_one_batch_run_one_after_the_other(stage: Stage) -> None:
    app, running, handled = headrace.App(), [], []

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        running.append(event)
        assert len(running) == 1, "two handlers of one event ran at once"
        await asyncio.sleep(0.05)
        running.remove(event)
        handled.append(event)

    send(stage, *["same"] * 20)
    async with worker(stage, app, delivery=WINDOW) as runtime:
        await eventually(lambda: stage.settled)
        await eventually(lambda: runtime.metrics.counts["duplicates"] == 19)
    assert handled == [0]


async def test_the_second_of_two_is_handled_when_the_first_fails_for_good(stage: Stage) -> None:
    app, handled = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        if event == 0:
            raise headrace.Reject("the first is bad")
        handled.append(event)

    send(stage, "same", "same")
    async with worker(stage, app, delivery=WINDOW):
        await eventually(lambda: stage.settled)
    assert handled == [1]
    assert len(stage.dead) == 1


async def test_a_retry_of_an_event_that_its_twin_handled_is_a_duplicate(stage: Stage) -> None:
    app, handled = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        if event == 0:
            raise headrace.Retry("later", after=0.2)
        handled.append(event)

    send(stage, "same", "same")
    async with worker(stage, app, delivery=WINDOW) as runtime:
        await eventually(lambda: stage.settled and runtime.metrics.counts["duplicates"] == 1)
    assert handled == [1]


@pytest.mark.parametrize("ending", [headrace.Reject("no"), headrace.Skip()])
async def test_only_a_success_leaves_a_mark(stage: Stage, ending: headrace.Outcome) -> None:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(event: int) -> None:
        raise ending

    send(stage, "a")
    async with worker(stage, app, delivery=WINDOW):
        await eventually(lambda: stage.settled)
    assert not stage.redis.exists(mark(stage, b"a"))


async def test_events_without_an_id_and_ids_that_are_no_text_are_told_apart(stage: Stage) -> None:
    app, handled = counting_app()
    async with worker(stage, app, delivery=WINDOW):
        send(stage, b"\xff", b"\xfe", b"\xff", b"", b"")
        send(stage, "x", "x", field="other")
        await eventually(lambda: stage.settled)
    assert len(handled) == 6


async def test_the_field_is_the_one_that_the_group_names(stage: Stage) -> None:
    app, handled = counting_app()
    told = {"deduplicate": {"window": "60s", "field": "booking"}}
    async with worker(stage, app, delivery=told):
        send(stage, "a", "a", field="booking")
        send(stage, "b", "b", field="id")
        await eventually(lambda: stage.settled)
    assert len(handled) == 3


async def test_batches_hold_no_duplicates(stage: Stage) -> None:
    app, handled = headrace.App(), []

    @app.batch("flight.landed")
    async def landed(events: list[int]) -> None:
        handled.extend(events)

    async with worker(stage, app, delivery=WINDOW):
        send(stage, "a", "b", "a", "c", "b")
        await eventually(lambda: stage.settled)
    assert sorted(handled) == [0, 1, 3]


async def test_outputs_of_twins_in_two_workers_appear_once(stage: Stage) -> None:
    """Both handlers may run; one of them marks and emits."""
    gate = asyncio.Event()
    app, handled = headrace.App(), []

    @app.on("flight.landed")
    async def landed(event: int, ctx: headrace.Context) -> None:
        handled.append(event)
        ctx.emit("{flights}:late", headrace.Event("late", event))
        await gate.wait()

    told: dict[str, Any] = {
        "delivery": WINDOW,
        "outputs": [{"stream": "{flights}:late"}],
        "concurrency": 1,
        "batchSize": 1,
    }
    async with worker(stage, app, **told) as one:
        send(stage, "same")
        await eventually(lambda: len(handled) == 1)
        async with worker(stage, app, **told) as two:
            while len(handled) < 2:  # until the twin is the second worker's
                send(stage, "same")
                await asyncio.sleep(0.05)
            gate.set()
            counts = (one.metrics.counts, two.metrics.counts)
            await eventually(lambda: stage.settled and sum(c["duplicates"] for c in counts) >= 1)
    assert stage.redis.xlen("{flights}:late") == 1


def test_a_killed_worker_leaves_no_mark_of_what_it_did_not_finish(stage: Stage) -> None:
    handlers = """
        @app.on("flight.landed")
        async def landed(event: int, ctx):
            effect(event)
            if ctx.attempt == 1:
                await asyncio.sleep(60)
    """
    with workers(stage, handlers, delivery={**WINDOW, "handlerTimeout": "90s"}) as group:
        first = group.start("pod-a")
        send(stage, "a")
        eventually_sync(lambda: group.effects)
        first.kill()
        group.start("pod-b")
        eventually_sync(lambda: len(group.effects) == 2 and stage.settled)
        send(stage, "a")
        eventually_sync(lambda: stage.settled)
        assert len(group.effects) == 2


def test_reclaim_acknowledges_duplicates_too(stage: Stage) -> None:
    handlers = """
        @app.on("flight.landed")
        async def landed(event: int):
            effect(event)
    """
    with workers(stage, handlers, delivery=WINDOW) as group:
        ids = send(stage, "a", "a", "b")
        stage.redis.xgroup_create(STREAM, GROUP, "0")
        stage.redis.xreadgroup(GROUP, "gone", {STREAM: ">"}, count=10)
        for id_ in ids:
            stage.redis.execute_command("XCLAIM", STREAM, GROUP, "gone", 0, id_, "IDLE", 60000)
        one = group.start("job-1", "reclaim")
        assert one.process.wait(30) == 0, one.text
        assert stage.pending == 0
        assert sorted(group.effects) == ["0", "2"]


def test_twins_that_wait_are_handed_back_while_the_first_still_runs(stage: Stage) -> None:
    handlers = """
        @app.on("flight.landed")
        async def landed(event: int):
            effect(event)
            await asyncio.sleep(2)
    """
    with workers(stage, handlers, delivery=WINDOW) as group:
        one = group.start()
        send(stage, "a", "a", "a")
        eventually_sync(lambda: group.effects)
        one.signal(signal.SIGTERM)
        eventually_sync(lambda: stage.pending_of(PARKED) == 2)
        assert one.process.poll() is None
        assert one.process.wait(30) == 0, one.text
        assert stage.pending == 2


@pytest.fixture
def evicting(stage: Stage) -> Iterator[Stage]:
    stage.redis.config_set("maxmemory", "1gb")
    stage.redis.config_set("maxmemory-policy", "volatile-lru")
    yield stage
    stage.redis.config_set("maxmemory", "0")
    stage.redis.config_set("maxmemory-policy", "noeviction")


async def test_a_policy_that_may_evict_marks_is_warned_about(
    evicting: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = counting_app()
    with caplog.at_level(logging.WARNING, "headrace.worker"):
        async with worker(evicting, app, delivery=WINDOW) as runtime:
            assert runtime.metrics.gauges["marks_evictable"][1]() == 1.0
    assert "volatile-lru may evict deduplication marks" in caplog.text


async def test_a_look_up_that_fails_is_repeated_before_anything_runs(stage: Stage) -> None:
    app, handled = counting_app()
    async with worker(stage, app, delivery=WINDOW) as runtime:
        assert runtime.deduplication is not None
        send(stage, "a")
        await eventually(lambda: stage.settled)
        stage.redis.execute_command("ACL", "SETUSER", "default", "-mget")
        try:
            send(stage, "a", "b")
            await eventually(lambda: runtime.metrics.counts["redis_errors"] >= 2)
            assert len(handled) == 1
        finally:
            stage.redis.execute_command("ACL", "SETUSER", "default", "+@all")
        await eventually(lambda: stage.settled)
        assert len(handled) == 2


async def test_a_group_made_anew_does_not_know_what_its_former_life_handled(stage: Stage) -> None:
    app, handled = counting_app()
    keys = StreamKeys(STREAM).for_group(GROUP)
    async with worker(stage, app, delivery=WINDOW):
        send(stage, "a")
        await eventually(lambda: len(handled) == 1 and stage.settled)
    owner = (stage.redis.hget(keys.state, "owner") or b"").decode()
    async with connect(stage.server.target, role="admin") as client:
        assert await destroy_group(client, keys, owner)
    stage.redis.xtrim(STREAM, maxlen=0, approximate=False)
    async with worker(stage, app, delivery=WINDOW):
        send(stage, "a")
        await eventually(lambda: len(handled) == 2)
