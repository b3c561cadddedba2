"""What is said of a server's newer commands is so, and one below the floor is refused."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from tests.support.aged_server import aged
from tests.support.redis_servers import ALL_KINDS, running

from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.connect import Target, connect
from headrace.streams.detect import TooOld, detect
from headrace.streams.keys import StreamKeys
from headrace.streams.script import Command, call
from headrace.streams.server import FEATURES

PROBES: dict[str, Command] = {
    "XACKDEL": ("XACKDEL", "s", "g", "KEEPREF", "IDS", 1, "1-1"),
    "XTRIM ACKED": ("XTRIM", "s", "MAXLEN", 100, "ACKED"),
    "XREADGROUP CLAIM": ("XREADGROUP", "GROUP", "g", "c", "CLAIM", 1, "STREAMS", "s", ">"),
    "XADD IDMP": ("XADD", "s", "IDMP", "producer", "1", "*", "f", "v"),
    "XNACK": ("XNACK", "s", "g", "FAIL", "IDS", 1, "1-1"),
}


@pytest.mark.parametrize("kind", ALL_KINDS)
async def test_a_server_has_what_its_version_promises(kind: str) -> None:
    assert PROBES.keys() == FEATURES.keys()
    with running(kind) as server:
        async with connect(server.target, role="admin") as client:
            await client.xgroup_create("s", "g", "0", mkstream=True)
            found = [name for name, probe in PROBES.items() if await takes(client, probe)]
            known = await detect(client)
            # Of a version whose XACKDEL may crash, the command is there and not counted.
            assert set(known.features) <= set(found), f"{known}"
            assert set(found) - set(known.features) <= {"XACKDEL"}, f"{known}"


async def takes(client: Redis, probe: Command) -> bool:
    """Whether the server knows the command in this form; what it then does is its own business."""
    try:
        await call(client, probe)
    except ResponseError as error:
        words = ("unknown", "syntax", "wrong number", "invalid stream id")
        return not any(word in str(error).lower() for word in words)
    return True


async def test_one_below_the_floor_is_refused_until_it_is_replaced() -> None:
    with running("redis") as server, aged(server, "6.2.14") as old:
        async with connect(Target((old.endpoint,)), role="admin") as client:
            for _ in range(2):
                with pytest.raises(TooOld, match=r"^redis 6\.2\.14 is too old$"):
                    await read_backlogs(client, [(StreamKeys("s"), ())])
            old.version = None
            assert (await read_backlogs(client, [(StreamKeys("s"), ())]))[0].exists is False
