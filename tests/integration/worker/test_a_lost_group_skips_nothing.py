"""Whatever becomes of a group or its stream, nothing is skipped."""

import asyncio

import pytest
from tests.support.waiting import eventually
from tests.support.workers import GROUP, STREAM, Stage, worker

import headrace

REPLAY = f"headrace:{{{STREAM}}}:replay:{GROUP}:{STREAM}"
STATE = f"headrace:{{{STREAM}}}:state:{GROUP}:{STREAM}"


class Seen:
    """An app that notes what it handles; event 0 never ends by itself."""

    def __init__(self) -> None:
        self.app = headrace.App()
        self.numbers: list[int] = []

        @self.app.on("flight.landed")
        async def landed(event: dict) -> None:
            self.numbers.append(event["n"])
            if event["n"] == 0:
                await asyncio.sleep(60)


def destroy(redis) -> None:
    redis.xgroup_destroy(STREAM, GROUP)


def delete(redis) -> None:
    redis.delete(STREAM)


def flush(redis) -> None:
    redis.flushall()


def destroy_replay(redis) -> None:
    redis.xgroup_destroy(REPLAY, GROUP)


def delete_replay(redis) -> None:
    redis.delete(REPLAY)


HARMS = pytest.mark.parametrize(
    "harm",
    [destroy, delete, flush, destroy_replay, delete_replay],
    ids=["XGROUP DESTROY", "DEL", "FLUSHALL", "XGROUP DESTROY replay", "DEL replay"],
)


@HARMS
async def test_a_vanished_group_is_made_again_and_the_worker_goes_on(stage: Stage, harm) -> None:
    seen = Seen()
    async with worker(stage, seen.app) as runtime:
        stage.send({"n": 1})
        await eventually(lambda: stage.settled)
        await eventually(lambda: runtime.reader.reading)
        harm(stage.redis)
        stage.send({"n": 2})
        await eventually(lambda: 2 in seen.numbers)
        await eventually(lambda: stage.settled)


@HARMS
async def test_what_came_before_the_group_was_made_again_is_read_though_it_starts_at_the_end(
    stage: Stage, harm
) -> None:
    seen = Seen()
    async with worker(stage, seen.app, start={"from": "End"}) as runtime:
        await eventually(lambda: runtime.reader.reading)
        stage.send({"n": 1})
        await eventually(lambda: stage.settled)
        with stage.redis.pipeline(transaction=True) as both:
            harm(both)
            both.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": '{"n": 2}'})
            both.execute()
        await eventually(lambda: 2 in seen.numbers)
        await eventually(lambda: stage.settled)


async def test_what_was_pending_when_the_group_was_destroyed_comes_again(stage: Stage) -> None:
    seen = Seen()
    async with worker(stage, seen.app, start={"from": "End"}) as runtime:
        await eventually(lambda: runtime.reader.reading)
        stage.send({"n": 0})
        await eventually(lambda: seen.numbers == [0])
        stage.redis.xgroup_destroy(STREAM, GROUP)
        stage.send({"n": 2})
        await eventually(lambda: 2 in seen.numbers)
        await eventually(lambda: seen.numbers.count(0) == 2)


async def test_a_group_set_ahead_of_its_stream_under_a_worker_is_set_back(
    stage: Stage, caplog
) -> None:
    seen = Seen()
    async with worker(stage, seen.app) as runtime:
        stage.send({"n": 1})
        await eventually(lambda: stage.settled)
        await eventually(lambda: runtime.reader.reading)
        with stage.redis.pipeline(transaction=True) as both:
            both.xgroup_setid(STREAM, GROUP, "9999999999999-0")
            both.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": '{"n": 2}'})
            both.execute()
        await eventually(lambda: "ahead of its stream, and was set back to" in caplog.text)
        stage.send({"n": 3})  # wakes the read that blocks
        await eventually(lambda: {2, 3} <= set(seen.numbers))
        await eventually(lambda: stage.settled)


async def test_a_stream_restored_from_an_older_backup_is_handled_to_its_end(stage: Stage) -> None:
    seen = Seen()
    async with worker(stage, seen.app) as runtime:
        stage.send({"n": 1})
        await eventually(lambda: stage.settled)
        stage.send({"n": 0})
        await eventually(lambda: seen.numbers == [1, 0])
        backup = stage.redis.dump(STREAM)
        stage.send({"n": 2}, {"n": 3})
        await eventually(lambda: {2, 3} <= set(seen.numbers))
        await eventually(lambda: stage.pending == 1)
        await eventually(lambda: runtime.reader.reading)
        with stage.redis.pipeline(transaction=True) as both:
            both.restore(STREAM, 0, backup, replace=True)
            both.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": '{"n": 4}'})
            both.execute()
        await eventually(lambda: 4 in seen.numbers)
        # what was pending in the backup runs and is kept
        await eventually(lambda: stage.pending == 1)
        (left,) = stage.redis.xpending_range(STREAM, GROUP, "-", "+", 10)
        assert left["consumer"].decode() == runtime.settings.consumer


LOSSES = pytest.mark.parametrize(
    "harm", [destroy, delete, flush], ids=["XGROUP DESTROY", "DEL", "FLUSHALL"]
)


@LOSSES
async def test_a_group_lost_while_commits_go_in_front_of_reads_is_made_again(
    stage: Stage, harm
) -> None:
    app, seen = headrace.App(), set()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        seen.add(event["n"])

    async with worker(stage, app) as runtime:
        for round_ in range(5):
            stage.send(*({"n": 0} for _ in range(3000)))
            await eventually(lambda: runtime.settler.under_way is not None)
            harm(stage.redis)
            stage.send({"n": round_ + 1})
            await eventually(lambda round_=round_: round_ + 1 in seen)
            await eventually(lambda: stage.settled)
            assert not runtime.failed.is_set()


async def test_a_group_lost_while_the_worker_has_no_room_to_read_is_made_again(
    stage: Stage,
) -> None:
    app, gate, seen = headrace.App(), asyncio.Event(), set()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()
        seen.add(event["n"])

    stage.send(*({"n": n} for n in range(100)))
    async with worker(
        stage, app, concurrency=2, batchSize=2, delivery={"minIdle": "1h"}
    ) as runtime:
        await eventually(lambda: runtime.dispatcher.running == 2 and not runtime.reader.reading)
        stage.redis.xgroup_destroy(STREAM, GROUP)
        gate.set()
        await eventually(lambda: seen == set(range(100)))
        await eventually(lambda: stage.settled)


def overwrite(redis) -> None:
    redis.set(STREAM, "no stream")


def give_away(redis) -> None:
    with redis.pipeline(transaction=True) as both:
        both.flushall()
        both.hset(STATE, "owner", "airport/other/uid-2")
        both.execute()


@pytest.mark.parametrize("harm", [overwrite, give_away], ids=["SET", "another owner"])
async def test_what_a_person_must_mend_under_a_read_that_blocks_is_waited_for(
    stage: Stage, harm
) -> None:
    seen = Seen()
    async with worker(stage, seen.app) as runtime:
        await eventually(lambda: runtime.reader.reading)
        harm(stage.redis)
        await eventually(lambda: runtime.reader.outage.seconds > 0.5)
        assert not runtime.failed.is_set()
        stage.redis.flushall()
        stage.send({"n": 1})
        await eventually(lambda: seen.numbers == [1])
        await eventually(lambda: stage.settled)


async def test_a_lost_group_is_one_line_in_the_log_and_not_one_for_each_entry(
    stage: Stage, caplog
) -> None:
    app, gate = headrace.App(), asyncio.Event()

    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        await gate.wait()

    stage.send(*({"n": n} for n in range(60)))
    async with worker(stage, app, concurrency=60) as runtime:
        await eventually(lambda: runtime.dispatcher.running == 60)
        stage.redis.xgroup_destroy(STREAM, GROUP)
        gate.set()
        await eventually(lambda: runtime.metrics.counts["lost"] >= 60)
        await eventually(lambda: stage.settled)
    assert len([line for line in caplog.messages if "no longer ours" in line]) == 1


async def test_a_run_that_was_told_of_its_loss_ends_no_later_run(stage: Stage) -> None:
    """The group is made anew, and its entry comes to the same worker again meanwhile."""
    app, runs = headrace.App(), []
    ends = [asyncio.Event(), asyncio.Event()]

    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        runs.append(ctx)
        await ends[len(runs) - 1].wait()

    stage.send({"n": 1})
    async with worker(stage, app) as runtime:
        await eventually(lambda: len(runs) == 1)
        destroy(stage.redis)
        await eventually(lambda: len(runs) == 2)
        runs[0]._entry.lost = True  # as a renewal that came in between marks it
        ends[0].set()
        await eventually(lambda: runtime.metrics.counts["lost"] == 1)
        assert stage.pending == 1
        ends[1].set()
        await eventually(lambda: stage.settled)
