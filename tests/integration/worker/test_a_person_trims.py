"""`headrace trim STREAM`: asks first, removes what no group needs, and says who keeps the rest."""

from tests.support.command_line import Done, at, headrace
from tests.support.workers import GROUP, STREAM, Stage


def trim(stage: Stage, *options: str) -> Done:
    return at(stage.server, "trim", STREAM, *options)


def handled_but_one(stage: Stage, entries: int, held: int) -> bytes:
    """All are delivered, and acknowledged but for one; its id."""
    ids = stage.send(*range(entries))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, "pod-a-1", {STREAM: ">"}, count=entries)
    stage.redis.xack(STREAM, GROUP, *ids[:held], *ids[held + 1 :])
    return ids[held]


def test_a_dry_run_changes_nothing_and_names_group_and_consumer(stage: Stage) -> None:
    held = handled_but_one(stage, 500, 120)
    done = trim(stage, "--max-length", "100", "--dry-run")
    assert done.returncode == 0, done.stderr
    first, kept, head, row = done.stdout.splitlines()
    assert first == "would remove 120 entries of 500"
    assert kept == "280 entries beyond the limit must stay:"
    assert head.split() == ["GROUP", "KEEPS", "BECAUSE"]
    assert row.startswith(f"delays    280  pod-a-1 holds {held.decode()}, for ")
    assert stage.redis.xlen(STREAM) == 500


def test_it_asks_first_and_removes_only_what_nobody_needs(stage: Stage) -> None:
    held = handled_but_one(stage, 500, 120)
    unasked = trim(stage, "--max-length", "100")
    assert (unasked.returncode, "add --yes if it is meant" in unasked.stderr) == (2, True)
    assert stage.redis.xlen(STREAM) == 500
    done = trim(stage, "--max-length", "100", "--yes")
    assert done.stdout.startswith("removed 120 entries, 380 left\n280 entries beyond the limit")
    assert stage.redis.xrange(STREAM, count=1)[0][0] == held
    stage.redis.xack(STREAM, GROUP, held)
    done = trim(stage, "--max-length", "100", "--yes")
    assert done.stdout == "removed 280 entries, 100 left\n"


def test_each_reason_to_stay_is_said(stage: Stage) -> None:
    held = handled_but_one(stage, 10, 0)
    stage.redis.xclaim(STREAM, GROUP, "headrace:parked", 0, [held], justid=True)
    stage.redis.xgroup_create(STREAM, "audit", "0")
    stage.redis.xgroup_create(STREAM, "ahead", "9999999999999-0")
    told = trim(stage, "--max-length", "0", "--dry-run").stdout
    assert f"{held.decode()} waits for its next try" in told
    assert "it has not read what came after 0-0" in told
    assert "it stands ahead of the stream, and will be set back" in told


def test_what_cannot_be_done_is_a_sentence(stage: Stage) -> None:
    stage.redis.set("text", "x")
    stage.redis.xadd("alone", {"a": 1})
    for arguments, code, said in (
        (["nothing", "--max-length", "1"], 1, "there is no stream nothing at"),
        (["text", "--max-length", "1"], 1, "key 'text' holds a string, not a stream"),
        (["alone", "--max-length", "0"], 1, "no group reads alone, so nothing says what was"),
        ([STREAM], 2, "say how many entries stay: --max-length N"),
        (["--max-length", "3"], 2, "name the stream: headrace trim STREAM"),
        ([STREAM, "--max-length", "-1"], 2, "greater than or equal to 0"),
        ([], 2, "which stream? headrace trim STREAM --max-length N"),
    ):
        done = at(stage.server, "trim", *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert said in done.stderr
    broken = headrace("trim", HEADRACE_TRIM="{")
    assert (broken.returncode, "HEADRACE_TRIM is wrong: " in broken.stderr) == (2, True)


def test_the_last_entry_of_a_group_that_has_handled_all_stays(stage: Stage) -> None:
    stage.send(*range(30))
    stage.redis.xgroup_create(STREAM, GROUP, "$")
    told = trim(stage, "--max-length", "0", "--yes").stdout
    assert told.startswith("removed 29 entries, 1 left\n1 entry beyond the limit must stay:\n")
    assert "delays      1  it has handled all; the last entry stays" in told
