"""A loop on a quiet stream and `headrace reclaim` take over by the same rules."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from tests.support.waiting import eventually_sync
from tests.support.workers import DEAD, GROUP, PARKED, STREAM, Stage, WorkerProcess, workers

HANDLERS = """
    @app.on("flight.landed")
    async def landed(event: dict) -> None:
        if event.get("kills"):
            os._exit(9)
        effect(event["n"])
"""
RETRY = f"headrace:{{{STREAM}}}:retry:{GROUP}:{STREAM}"
LOOP, COMMAND = ("worker", "--port", "0"), ("reclaim",)

by_loop_and_command = pytest.mark.parametrize("how", [LOOP, COMMAND], ids=["loop", "command"])


def leave_behind(stage: Stage, *payloads: dict) -> list[bytes]:
    """Events that a consumer took long ago and never settled."""
    ids = stage.send(*payloads)
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, count=len(ids))
    stage.redis.xclaim(STREAM, GROUP, "dead", 0, ids, idle=60_000, justid=True)
    return ids


def run_until(group, how: tuple[str, ...], ended: Callable[[], bool]) -> list[WorkerProcess]:
    """One process after the other, in pods of their own, until there is nothing left to do."""
    deadline = time.monotonic() + 60
    runs = [group.start("pod-0", *how)]
    while not ended():
        assert time.monotonic() < deadline, runs[-1].text
        if runs[-1].process.poll() is not None:
            runs.append(group.start(f"pod-{len(runs)}", *how))
        time.sleep(0.02)
    return runs


@by_loop_and_command
def test_what_was_trimmed_while_pending_is_cleared_and_said_and_the_parked_wait(
    stage: Stage, how: tuple[str, ...]
) -> None:
    gone, also_gone, _, parked = leave_behind(stage, *({"n": n} for n in range(4)))
    stage.redis.xdel(STREAM, gone, also_gone)
    stage.redis.xclaim(STREAM, GROUP, PARKED, 0, [parked], idle=60_000, justid=True)
    stage.redis.zadd(RETRY, {b"m:" + parked: (time.time() + 3600) * 1000})
    with workers(stage, HANDLERS) as group:
        runs = run_until(group, how, lambda: stage.pending == 1)
        assert len(runs) == 1
        for lost in (gone, also_gone):
            assert f"pending entry {lost.decode()} (MAIN) was trimmed: lost" in runs[0].text
        assert group.effects == ["2"]
    assert stage.pending_of(PARKED) == 1


@by_loop_and_command
def test_one_event_that_kills_among_good_ones_is_the_only_dead_letter(
    stage: Stage, how: tuple[str, ...]
) -> None:
    leave_behind(stage, *({"n": n, "kills": n == 5} for n in range(20)))
    with workers(stage, HANDLERS) as group:
        run_until(group, how, lambda: stage.settled)
        handled = Counter(int(line) for line in group.effects)
    assert handled == dict.fromkeys(set(range(20)) - {5}, 1)
    ((_, letter),) = stage.redis.xrange(DEAD)
    assert letter[b"f:payload"] == b'{"n": 5, "kills": true}'
    assert letter[b"error_type"] == b"Crash"


def test_a_pass_that_is_killed_strands_nothing(stage: Stage) -> None:
    leave_behind(stage, *({"n": n} for n in range(40)))
    slow = HANDLERS.replace("effect(", "time.sleep(0.1); effect(")
    with workers(stage, slow, delivery={"maxCrashes": 2}) as group:
        killed = group.start("job-1", "reclaim")
        eventually_sync(lambda: len(group.effects) > 5)
        killed.kill()
        done = set(group.effects)
        assert 5 < len(done) < 40, "it was in the middle"
        run_until(group, COMMAND, lambda: stage.settled)
        assert set(group.effects) == {str(n) for n in range(40)}
    assert stage.dead == []
    assert stage.pending == 0


def test_a_pass_counts_what_was_lost_to_trimming(stage: Stage) -> None:
    gone, _ = leave_behind(stage, {"n": 0}, {"n": 1})
    stage.redis.xdel(STREAM, gone)
    with workers(stage, HANDLERS) as group:
        one = group.start("job-1", "reclaim")
        assert one.process.wait(30) == 0
        assert "reclaimed 1 entries: 1 done; 1 lost to trimming" in one.text


def test_a_pass_whose_deadline_is_near_stops_by_itself_and_strands_nothing(stage: Stage) -> None:
    leave_behind(stage, *({"n": n} for n in range(40)))
    slow = HANDLERS.replace("effect(", "await asyncio.sleep(0.2); effect(")
    with workers(stage, slow, concurrency=1) as group:
        first = group.start("job-1", "reclaim", "--deadline", "6")
        assert first.process.wait(6) == 0, first.text
        assert "the deadline is near, and the next pass goes on; reclaimed 40" in first.text
        done = len(group.effects)
        assert 0 < done < 40
        assert stage.consumers <= {b"dead"}, "what was left has no owner that is gone"
        left = stage.redis.xpending_range(STREAM, GROUP, "-", "+", 40)
        assert {row["consumer"] for row in left} == {PARKED}
        assert len(left) == 40 - done, "what had begun was let finish"
        second = group.start("job-2", "reclaim")
        assert second.process.wait(30) == 0, second.text
        assert Counter(group.effects) == {str(n): 1 for n in range(40)}
    assert stage.settled
    assert stage.dead == []
