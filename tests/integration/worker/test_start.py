"""A worker that cannot start says why in one line, and its lines can be read by machines."""

import json
import signal

from tests.support.aged_server import aged
from tests.support.waiting import eventually_sync
from tests.support.workers import STREAM, Stage, workers

HANDLERS = """
    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        ctx.logger.info("landed", extra={"carrier": event["carrier"]})
"""

FAILING = """
    @app.lifespan
    async def around(app):
        raise ConnectionError("the other side is away")
        yield
"""


def test_a_lifespan_that_fails_ends_the_worker_with_its_reason(stage: Stage) -> None:
    with workers(stage, HANDLERS + FAILING) as group:
        one = group.start()
        assert one.process.wait(60) == 2
        last = json.loads(one.text.splitlines()[-1])
    assert last["message"].startswith(
        "the app's lifespan failed at start: ConnectionError: the other side is away (around, line"
    )
    assert "Traceback" not in one.text


def test_a_worker_in_a_pod_logs_json_with_the_fields_of_the_entry(stage: Stage) -> None:
    (sent,) = stage.send({"carrier": "UA"})
    with workers(stage, HANDLERS) as group:
        one = group.start()
        eventually_sync(lambda: stage.settled)
        eventually_sync(lambda: "landed" in one.text)
        lines = [json.loads(line) for line in one.text.splitlines()]
    (line,) = [line for line in lines if line["message"] == "landed"]
    assert line["logger"] == "headrace.handler"
    assert (line["id"], line["carrier"], line["attempt"]) == (sent.decode(), "UA", 1)


ENDING_BADLY = """
    @app.lifespan
    async def around(app):
        yield
        raise ConnectionError("the other side is away")
"""


def test_a_lifespan_that_fails_at_its_end_is_told_when_all_is_settled(stage: Stage) -> None:
    stage.send({"carrier": "UA"})
    with workers(stage, HANDLERS + ENDING_BADLY) as group:
        one = group.start()
        eventually_sync(lambda: stage.settled and "landed" in one.text)
        one.signal(signal.SIGTERM)
        assert one.process.wait(60) == 1
        last = json.loads(one.text.splitlines()[-1])
    assert last["message"] == "the app's lifespan failed at its end"
    assert "ConnectionError: the other side is away" in last["exception"]
    assert not stage.consumers


def test_a_server_below_the_floor_is_refused_in_one_line_until_it_is_replaced(stage: Stage) -> None:
    stage.send({"carrier": "UA"})
    with aged(stage.server, "6.2.14") as old:
        redis = {"redis": {"endpoints": [old.endpoint]}}
        with workers(stage, HANDLERS, **redis) as group:
            one = group.start()
            eventually_sync(lambda: "is too old" in one.text)
            assert not stage.redis.xinfo_groups(STREAM), "nothing was done there"
            old.version = None
            eventually_sync(lambda: stage.settled)
        lines = [json.loads(line)["message"] for line in one.text.splitlines()]
    told = [line for line in lines if "too old" in line]
    sentence = "6.2.14 is too old (use Redis 7.0 or newer, or Valkey 8 or newer)"
    assert len(told) == 1
    assert sentence in told[0]
