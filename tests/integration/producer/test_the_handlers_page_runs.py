"""Every Python block of docs/handlers.md, from top to bottom, and its tests."""

import re
from pathlib import Path
from typing import Any

import redis
from tests.support.redis_servers import RedisServer, redis_server

__all__ = ["redis_server"]

PAGE = Path("docs/handlers.md")


def executed() -> dict[str, Any]:
    """The names that the page defines."""
    names: dict[str, Any] = {"__name__": "handlers"}
    text = PAGE.read_text("utf-8")
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)
    return names


async def test_the_pages_own_tests_pass() -> None:
    names = executed()
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        await test()


async def test_the_pages_handlers_do_what_it_says() -> None:
    names = executed()
    headrace, harness_of = names["headrace"], names["Harness"]
    clients = {"blocking_redis": type("Counter", (), {"incr": lambda self, key: None})()}
    async with harness_of(names["app"], outputs=[names["LATE"]], **clients) as harness:
        told = [
            ("flight.landed", 1, {"carrier": "??", "arr_delay": 0}, "dead_lettered"),
            ("flight.landed", 1, {"carrier": "UA", "arr_delay": -200}, "skipped"),
            ("flight.landed", 1, {"carrier": "UA"}, "dead_lettered"),
            ("flight.landed", 2, {"carrier": "UA", "arr_delay": 0, "origin": ""}, "dead_lettered"),
            ("flight.landed", 2, {"carrier": "UA", "arr_delay": 0, "origin": "EWR"}, "done"),
            ("flight.archived", 1, {}, "done"),
            ("flight.csv", 1, b"UA;11", "done"),
            ("flight.csv", 1, b"UA", "dead_lettered"),
            ("anything", 1, {}, "done"),
        ]
        for type_, version, payload, outcome in told:
            result = await harness.feed(headrace.Event(type_, payload, version))
            assert result.outcome == outcome, (type_, version, payload, result)


async def test_the_pages_producer_sends(redis_server: RedisServer) -> None:
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        (sent,) = await executed()["send"](f"redis://127.0.0.1:{redis_server.port}")
        ((id_, fields),) = client.xrange("flights")
    assert (id_.decode(), fields[b"id"]) == (sent, b"UA-1545")
