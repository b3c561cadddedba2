"""/livez: a blocked loop or a wedged read fails it; an absent Redis does not."""

import asyncio
import math
import threading
import time
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry
from tests.support.redis_servers import RedisServer, running
from tests.support.waiting import eventually, eventually_sync
from tests.support.workers import Stage, runtime_of, worker

import headrace
from headrace.worker.health import HealthServer

SHORT = {"handlerTimeout": "200ms"}


def livez(port: int) -> int:
    try:
        return int(urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5).status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_a_handler_that_blocks_the_loop_fails_it(stage: Stage, monkeypatch) -> None:
    monkeypatch.setattr("headrace.worker.config.GRACE_BESIDE_HANDLER", 0.3)
    app, release = headrace.App(), threading.Event()

    @app.on("block")
    async def block(event: int) -> None:
        release.wait(30)  # blocks the loop, as a forgotten requests.get would

    answers: list[int] = []

    def watch(port: int) -> None:
        answers.append(livez(port))
        eventually_sync(lambda: livez(port) == 503)
        answers.append(503)
        release.set()

    async with worker(stage, app, delivery=SHORT) as runtime:
        health = HealthServer(0, CollectorRegistry(), runtime.live, runtime.ready)
        watcher = threading.Thread(target=watch, args=(health.port,))
        watcher.start()
        await eventually(lambda: answers == [200])
        stage.send(1, type="block")
        await eventually(release.is_set)
        await eventually(lambda: livez(health.port) == 200)
        watcher.join()
        health.close()
    assert answers == [200, 503]


async def test_a_wedged_read_fails_it(stage: Stage, monkeypatch) -> None:
    monkeypatch.setattr("headrace.worker.config.GRACE_BESIDE_HANDLER", 0.3)
    monkeypatch.setattr("headrace.worker.runtime.WEDGED_SECONDS", 8.0)  # more than BLOCK
    app = headrace.App()

    @app.on("any")
    async def handler(event: int) -> None: ...

    async with worker(stage, app, delivery=SHORT) as runtime:
        release = asyncio.Event()

        async def never(count: int) -> None:
            await release.wait()

        await eventually(lambda: runtime.reader.reading)
        monkeypatch.setattr(runtime.reader, "_read", never)
        stage.send(1, type="any")
        assert runtime.live() is None
        await eventually(lambda: "the read loop has made no progress" in (runtime.live() or ""))
        release.set()
        monkeypatch.undo()
        await eventually(lambda: runtime.live() is None)


async def test_an_absent_redis_is_no_reason_to_restart(
    redis_server: RedisServer, monkeypatch
) -> None:
    monkeypatch.setattr("headrace.worker.config.GRACE_BESIDE_HANDLER", 0.3)
    monkeypatch.setattr("headrace.worker.runtime.AWAY_SECONDS", 0.5)
    app = headrace.App()

    @app.on("any")
    async def handler(event: int) -> None: ...

    with running(redis_server.kind) as server:
        async with worker(Stage(server), app, delivery=SHORT) as runtime:
            server.kill()
            await eventually(lambda: (runtime.ready() or "").startswith("Redis is away"))
            for _ in range(20):
                assert runtime.live() is None
                await asyncio.sleep(0.05)
            server.start()
            await eventually(lambda: runtime.ready() is None)


async def test_a_lifespan_that_takes_longer_than_a_handler_may_does_not(
    stage: Stage, monkeypatch
) -> None:
    monkeypatch.setattr("headrace.worker.config.GRACE_BESIDE_HANDLER", 0.0)
    runtime = runtime_of(stage, headrace.App(), delivery=SHORT)
    time.sleep(3 * runtime.settings.bound)  # noqa: ASYNC251 - as a lifespan that loads a model
    assert runtime.live() is None
    runtime.start()
    try:
        await eventually(lambda: runtime.tick != math.inf)
        time.sleep(3 * runtime.settings.bound)  # noqa: ASYNC251 - the loop does not run
        assert "the event loop has not run" in str(runtime.live())
    finally:
        await runtime.stop(1.0)
    assert runtime.live() is None
