"""What `headrace.testing` shows in memory is what a worker does with a real server."""

import json
from collections import Counter

from tests.support.waiting import eventually
from tests.support.workers import Stage, worker, workers

import headrace
from headrace.testing import Crash, Harness

DELIVERY = {
    "handlerTimeout": "500ms",
    "maxRetries": 2,
    "maxCrashes": 1,
    "minIdle": "1s",
    "backoff": {"initial": "10ms", "max": "50ms"},
}
STORIES = ["good", "skip", "reject", "fail", "fail once", "retry", "undeclared", 7, "late"]


def make() -> tuple[headrace.App, Counter[str]]:
    app, calls = headrace.App(), Counter()

    @app.on("story")
    async def tell(story: str, ctx: headrace.Context) -> None:
        calls[story] += 1
        ctx.emit("out", headrace.Event("told", story))
        if story == "skip":
            raise headrace.Skip
        if story == "reject":
            raise headrace.Reject("no")
        if story == "retry":
            raise headrace.Retry(after=0.01, counts=True)
        if story == "undeclared":
            ctx.emit("elsewhere", headrace.Event("told", story))
        if story == "fail" or (story == "fail once" and ctx.attempt == 1):
            raise ValueError(story)

    return app, calls


async def test_outcomes_dead_letters_and_outputs_are_the_same(stage: Stage) -> None:
    app, really_called = make()
    stage.send(*STORIES, type="unknown")
    stage.send(*(json.dumps(story) for story in STORIES), type="story")
    outputs = [{"stream": "out"}]
    async with worker(stage, app, delivery=DELIVERY, outputs=outputs) as runtime:
        await eventually(lambda: stage.settled)
        await eventually(lambda: len(runtime.holding) == 0)
        real = runtime.metrics.events
    letters = Counter(
        (one[b"error"].decode(), one[b"error_type"].decode(), int(one[b"attempts"]))
        for one in stage.dead
    )
    told = Counter(fields[b"payload"] for _, fields in stage.redis.xrange("out"))

    app, called = make()
    async with Harness(app, delivery=DELIVERY, outputs=["out"]) as harness:
        events = [headrace.Event(type_, s) for type_ in ("unknown", "story") for s in STORIES]
        results = await harness.feed_many(events)
        await harness.finish()
        outcomes = Counter(one.outcome for result in results for one in result.attempts)
        assert Counter((o.error, o.error_type, o.attempts) for o in harness.dead_letters) == letters
        assert Counter(json.dumps(one.event.payload).encode() for one in harness.emitted) == told
    assert called == really_called
    by_outcome: Counter[str] = Counter()
    for (_, outcome), count in real.items():
        by_outcome[outcome] += count
    assert outcomes == by_outcome


HANDLERS = """
    @app.on("story")
    async def tell(story: str) -> None:
        effect(f"call {story}")
        if story == "poison":
            os._exit(9)
"""


async def test_a_poisonous_event_ends_the_same(stage: Stage) -> None:
    stories = ["a", "poison", "b"]
    with workers(stage, HANDLERS, delivery=DELIVERY) as group:
        stage.send(*(json.dumps(story) for story in stories), type="story")
        process = group.start()
        for _ in range(10):
            await eventually(lambda one=process: one.process.poll() is not None or stage.settled)
            if stage.settled:
                break
            process = group.start()
        await eventually(lambda: stage.settled)
        poison_calls = group.effects.count("call poison")
    (letter,) = stage.dead

    app, calls = headrace.App(), Counter()

    @app.on("story")
    async def tell(story: str) -> None:
        calls[story] += 1
        if story == "poison":
            raise Crash

    async with Harness(app, delivery=DELIVERY) as harness:
        results = await harness.feed_many([headrace.Event("story", story) for story in stories])
        await harness.finish()
        (shown,) = harness.dead_letters
        assert [one.outcome for one in results] == ["done", "dead_lettered", "done"]
    assert calls["poison"] == poison_calls
    assert (shown.error, shown.error_type) == (
        letter[b"error"].decode(),
        letter[b"error_type"].decode(),
    )
    assert (shown.attempts, shown.crashes) == (int(letter[b"attempts"]), int(letter[b"crashes"]))
