"""`headrace pending`: each consumer's entries, how long it holds them, what waits for a retry."""

import json
import re
from typing import Any

from tests.support.command_line import at
from tests.support.workers import GROUP, STREAM, Stage

REPLAY = f"headrace:{{{STREAM}}}:replay:{GROUP}:{STREAM}"
RETRY = f"headrace:{{{STREAM}}}:retry:{GROUP}:{STREAM}"
PARKED = "headrace:parked"


def held(stage: Stage, consumer: str, ids: list[bytes], idle_ms: int, deliveries: int) -> None:
    stage.redis.xclaim(
        STREAM, GROUP, consumer, 0, ids, idle=idle_ms, retrycount=deliveries, justid=True
    )


def told(stage: Stage, *options: str) -> list[dict[str, Any]]:
    done = at(stage.server, "pending", STREAM, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    return documents if "--entries" in options else documents[0]


def three_consumers(stage: Stage) -> list[bytes]:
    ids = stage.send(*range(10))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "quick", {STREAM: ">"}, count=10)
    held(stage, "silent", ids[2:4], 90_000, 1)
    held(stage, "silent", ids[4:5], 600_000, 7)
    held(stage, PARKED, ids[5:8], 0, 2)
    now_ms = stage.redis.time()[0] * 1000
    due = {5: now_ms - 5_000, 6: now_ms + 600_000, 7: now_ms + 900_000}
    stage.redis.zadd(RETRY, {b"m:" + ids[n]: at_ms for n, at_ms in due.items()})
    return ids


def test_each_consumer_has_a_line_the_most_silent_first(stage: Stage) -> None:
    three_consumers(stage)
    done = at(stage.server, "pending", STREAM)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["GROUP", "ENTRIES", "IDLE", "DELIVERIES", "CONSUMER"]
    assert [line.split()[1] for line in lines] == ["3", "4", "3"]
    assert re.fullmatch(r"delays +3 +10m +7  silent", lines[0])
    assert re.search(r"parked for a retry: 1 due now, next in (9|10)m$", lines[2])
    silent, quick, parked = told(stage)
    assert (silent["consumer"], quick["consumer"], parked["consumer"]) == (
        "silent",
        "quick",
        PARKED,
    )
    assert (silent["mostDeliveries"], parked["dueNow"], parked["parked"]) == (7, 1, True)
    assert 600 <= silent["longestIdleSeconds"] < 700
    assert 500 < parked["nextDueSeconds"] <= 600


def test_entries_are_listed_by_id_and_parked_ones_say_when_they_are_due(stage: Stage) -> None:
    ids = three_consumers(stage)
    entries = told(stage, "--entries")
    assert [one["id"].encode() for one in entries] == ids
    assert entries[5]["dueSeconds"] <= -5
    assert 800 < entries[7]["dueSeconds"] <= 900
    lines = at(stage.server, "pending", STREAM, "--entries").stdout.splitlines()
    assert lines[6].endswith("parked, due now")
    assert lines[8].endswith("parked, due in 15m")
    few = at(stage.server, "pending", STREAM, "--entries", "--limit", "4")
    assert (len(few.stdout.splitlines()), "there are more" in few.stderr) == (5, True)


def test_replayed_entries_count_and_other_groups_stay_out(stage: Stage) -> None:
    three_consumers(stage)
    stage.redis.xgroup_create(REPLAY, GROUP, "0", mkstream=True)
    stage.redis.xadd(REPLAY, {"original_id": "1-0"})
    stage.redis.xreadgroup(GROUP, "quick", {REPLAY: ">"})
    stage.redis.xgroup_create(STREAM, "audit", "0")
    stage.redis.xreadgroup("audit", "auditor", {STREAM: ">"}, count=2)
    assert [one["entries"] for one in told(stage, "--group", GROUP)] == [3, 5, 3]
    assert told(stage, "--group", GROUP, "--entries")[-1]["replayed"]
    assert [one["consumer"] for one in told(stage, "--group", "audit")] == ["auditor"]


def test_more_than_a_page_is_counted_whole(stage: Stage) -> None:
    stage.send(*range(2_500))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "quick", {STREAM: ">"}, count=2_500)
    assert [one["entries"] for one in told(stage)] == [2_500]
    assert len(told(stage, "--entries", "--limit", "3000")) == 2_500


def test_what_is_not_there_is_a_sentence(stage: Stage) -> None:
    missing = at(stage.server, "pending", STREAM)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"there is no stream {STREAM}" in missing.stderr
    stage.send(1)
    alone = at(stage.server, "pending", STREAM)
    assert (alone.returncode, alone.stdout) == (0, f"no consumer group reads {STREAM}\n")
    alone = at(stage.server, "pending", STREAM, "--entries")
    assert (alone.returncode, alone.stderr) == (0, f"no consumer group reads {STREAM}\n")
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    idle = at(stage.server, "pending", STREAM, "--entries")
    assert (idle.returncode, idle.stderr) == (0, f"nothing is pending in {STREAM}\n")
    wrong = at(stage.server, "pending", STREAM, "--group", "nobody")
    assert (wrong.returncode, wrong.stderr) == (1, "headrace: stream flights has no group nobody\n")
