"""docs/redis-user.md is enough: Redis refuses nothing to its users, whatever Headrace does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import headrace as headrace_command
from tests.support.documented_users import producer_rights, worker_rights
from tests.support.waiting import eventually
from tests.support.workers import DEAD, GROUP, STREAM, Stage, worker

import headrace
from headrace.streams import connect
from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.credentials import StaticCredentials
from headrace.streams.dead_letters import list_letters, purge
from headrace.streams.groups import destroy_group, ensure_groups, holder_of, release
from headrace.streams.keys import PARKED, StreamKeys
from headrace.streams.pending import pending_pages
from headrace.streams.replay import replay
from headrace.streams.trim import trim

OUTPUT = "{flights}:late"
KEYS = (STREAM, OUTPUT, "headrace:{flights}:*")
OWNER = "airport/flights/uid-1"


def with_rights(stage: Stage, rights: list[str]) -> str:
    """A user with these rights; its password is `pw`."""
    if stage.server.kind != "redis":  # 7.0 does not know the command
        rights = [*rights, "+client|setinfo"]
    stage.redis.execute_command("ACL", "SETUSER", "limited", "on", ">pw", *rights)
    stage.redis.execute_command("ACL", "LOG", "RESET")
    return "limited"


@pytest.fixture(autouse=True)
def no_user_stays(stage: Stage) -> Iterator[None]:
    yield
    stage.redis.execute_command("ACL", "DELUSER", "limited")


def refused(stage: Stage) -> list[Any]:
    """What Redis noted that it refused: reason and command or key."""
    return [(row["reason"], row["object"]) for row in stage.redis.acl_log()]


def as_user(stage: Stage, directory: Path, user: str) -> dict[str, Any]:
    (directory / "username").write_text(user)
    (directory / "password").write_text("pw")
    return {"endpoints": [stage.server.endpoint], "credentialsDir": str(directory)}


def app_that_does_everything() -> headrace.App:
    app = headrace.App()

    @app.on("flight.landed")
    async def landed(n: int, ctx: headrace.Context) -> None:
        ctx.emit(OUTPUT, headrace.Event("late", n))
        if n == 1 and ctx.attempt == 1:
            raise ValueError("comes again")
        if n == 2:
            raise headrace.Reject("a dead letter")

    return app


async def test_a_worker_is_refused_nothing(stage: Stage, tmp_path: Path) -> None:
    redis_section = as_user(stage, tmp_path, with_rights(stage, worker_rights(*KEYS)))
    stage.send(*range(5))
    async with worker(
        stage,
        app_that_does_everything(),
        redis=redis_section,
        outputs=[{"stream": OUTPUT}],
        delivery={"deduplicate": {"window": "1h"}, "minIdle": "1s"},
    ) as runtime:
        await eventually(lambda: stage.settled and stage.dead)
        assert await runtime.claims.take_over("another-pod") == 0
        await runtime.claims.park_idle()
        await runtime.claims.delete_dead_consumers()
    assert not stage.consumers
    assert not refused(stage)


async def test_operator_and_commands_are_refused_nothing(stage: Stage) -> None:
    user = with_rights(stage, worker_rights(*KEYS))
    stage.send(*range(5))
    stream, group = StreamKeys(STREAM), StreamKeys(STREAM).for_group(GROUP)
    stage.redis.xadd(DEAD, {"group": GROUP, "original_stream": STREAM, "f:type": "t"})
    stage.redis.xadd(DEAD, {"group": GROUP, "original_stream": STREAM, "f:type": "t"})
    async with connect.connect(
        stage.server.target, StaticCredentials(user, "pw"), role="admin"
    ) as client:
        await ensure_groups(client, group, owner=OWNER)
        await holder_of(client, group)
        await read_backlogs(client, [(stream, [GROUP])], most_counted=1_000)
        await client.xreadgroup(GROUP, PARKED, {STREAM: ">"}, count=1)
        assert [page async for page in pending_pages(client, group, with_due=True)]
        await trim(client, STREAM, [GROUP], max_length=1, max_age_ms=1)
        first, second = await list_letters(client, stream)
        await replay(client, stream, [first])
        await purge(client, stream, [second.id])
        await release(client, group, OWNER)
        assert await destroy_group(client, group, "")
    assert not refused(stage)


@pytest.mark.parametrize(
    "command",
    [
        ["streams"],
        ["backlog", STREAM],
        ["pending", STREAM, "--entries"],
        ["peek", STREAM],
        ["trim", STREAM, "--max-length", "1", "--yes"],
        ["plan", STREAM, "--rate", "1/s", "--retention", "1h"],
        ["dead", "list", "--stream", STREAM],
    ],
    ids=lambda command: command[0],
)
def test_what_a_person_types_is_refused_nothing(stage: Stage, command: list[str]) -> None:
    stage.send(*range(5))
    stage.redis.xgroup_create(STREAM, GROUP, "0")
    stage.redis.xreadgroup(GROUP, PARKED, {STREAM: ">"}, count=1)
    user = with_rights(stage, worker_rights(*KEYS))
    url = f"redis://{user}:pw@{stage.server.endpoint}/0"
    done = headrace_command(*command, HEADRACE_REDIS_URL=url)
    assert done.returncode == 0, done.stderr
    assert not refused(stage)


async def test_producers_are_refused_nothing(stage: Stage) -> None:
    keys = (STREAM, "headrace:{flights}:sent:*")
    user = with_rights(stage, producer_rights(*keys))
    url = f"redis://{user}:pw@{stage.server.endpoint}/0"
    async with headrace.Producer.from_url(url, STREAM) as producer:
        await producer.send(headrace.Event("t", 1))
    with headrace.SyncProducer.from_url(url, STREAM) as sync_producer:
        sync_producer.send(headrace.Event("t", 2))
    with headrace.SyncProducer.from_url(url, STREAM, unsafe_max_length=10) as trimming:
        trimming.send(headrace.Event("t", 3))
    assert stage.redis.xlen(STREAM) == 3
    assert not refused(stage)


async def test_a_user_who_may_not_call_client_runs_workers(stage: Stage, tmp_path: Path) -> None:
    user = with_rights(
        stage, [*worker_rights(*KEYS), "-client|id", "-client|setname", "-client|unblock"]
    )
    stage.send(*range(5))
    async with worker(
        stage,
        app_that_does_everything(),
        redis=as_user(stage, tmp_path, user),
        outputs=[{"stream": OUTPUT}],
    ):
        await eventually(lambda: stage.settled)
        (name,) = {one["name"] for one in stage.redis.client_list() if one["user"] == user}
        assert name == ""
    assert not stage.consumers
