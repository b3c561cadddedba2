"""Payloads that are no text survive every way an event can take, byte for byte."""

import importlib
from typing import Any

import pytest
import redis.asyncio
from tests.support.waiting import eventually
from tests.support.workers import STREAM, Stage, worker

import headrace
from headrace.streams.dead_letters import list_letters
from headrace.streams.keys import StreamKeys
from headrace.streams.replay import replay

ALL_BYTES = bytes(range(256))
BROKEN = b"\xff\xfe\x00" + ALL_BYTES


def protobuf_flight(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, headrace.Event]:
    monkeypatch.syspath_prepend("examples/protobuf")
    module = importlib.import_module("examples.protobuf.handlers")
    flight = module.Flight(carrier="UA", arr_delay=20, flight_plan=ALL_BYTES)
    return module.Flight.FromString, module.Flight, module.event("flight.landed", flight)


def avro_flight(_: pytest.MonkeyPatch) -> tuple[Any, Any, headrace.Event]:
    module = importlib.import_module("examples.avro.handlers")
    flight = {"carrier": "UA", "arr_delay": 20, "flight_plan": ALL_BYTES}
    return module.read, module.Flight, module.event("flight.landed", flight)


def ready_made_bytes(_: pytest.MonkeyPatch) -> tuple[Any, Any, headrace.Event]:
    def read(payload: bytes) -> bytes:
        if payload != ALL_BYTES:
            raise ValueError("other bytes")
        return payload

    return read, bytes, headrace.Event("flight.landed", ALL_BYTES)


@pytest.mark.parametrize("kind", [protobuf_flight, avro_flight, ready_made_bytes])
async def test_bytes_survive_sending_failing_replay_and_emitting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind
) -> None:
    read, model, event = kind(monkeypatch)
    payload, broken = event.payload, headrace.Event("flight.landed", BROKEN)
    app, repaired, handled = headrace.App(), False, []
    app.deserializer("flight.landed")(read)

    async def landed(flight: Any, ctx: headrace.Context) -> None:
        if not repaired:
            raise headrace.Reject("not repaired yet")
        handled.append((flight, ctx.fields[b"payload"], ctx.replayed))
        ctx.emit("out", headrace.Event("flight.late", ctx.fields[b"payload"]))

    landed.__annotations__["flight"] = model
    app.on("flight.landed")(landed)

    url = f"redis://{stage.server.endpoint}"
    async with headrace.Producer.from_url(url, STREAM) as producer:
        await producer.send_many([event, broken])
    with headrace.SyncProducer.from_url(url, STREAM, idempotent=False) as blocking:
        blocking.send(event)
    assert [one[b"payload"] for _, one in stage.redis.xrange(STREAM)] == [payload, BROKEN, payload]

    async with worker(stage, app, outputs=[{"stream": "out"}]):
        await eventually(lambda: len(stage.dead) == 3 and stage.settled)
        assert {one[b"f:payload"] for one in stage.dead} == {payload, BROKEN}
        repaired = True
        async with redis.asyncio.Redis(port=stage.server.port) as client:
            keys = StreamKeys(STREAM)
            letters = await list_letters(client, keys)
            assert await replay(client, keys, letters) == {}
        await eventually(lambda: stage.redis.xlen("out") == 2 and len(stage.dead) == 1)
    assert [one[1:] for one in handled] == [(payload, True)] * 2
    assert {getattr(flight, "flight_plan", flight) for flight, *_ in handled} == {ALL_BYTES}
    assert {one[b"payload"] for _, one in stage.redis.xrange("out")} == {payload}
    (letter,) = stage.dead
    assert (letter[b"f:payload"], letter[b"error_type"]) == (BROKEN, b"InvalidPayload")
