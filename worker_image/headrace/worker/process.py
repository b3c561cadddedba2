"""`headrace worker` and `headrace reclaim`: a process from its configuration to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from headrace import garbage
from headrace.app import App
from headrace.handler import HandlerError
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import UnusableName
from headrace.worker.config import WorkerSettings, config_path, load_config
from headrace.worker.errors import ConfigError
from headrace.worker.handling.tracing import export_spans
from headrace.worker.health import HealthServer
from headrace.worker.loader import load_app
from headrace.worker.metrics import Metrics
from headrace.worker.outage import sentence
from headrace.worker.reclaim import pass_seconds, reclaim, runtime_for, summary
from headrace.worker.runtime import Runtime
from headrace.worker.settling.decision import describe
from headrace.worker.signals import StopSignals
from headrace.worker.startup import prepare
from headrace.worker.tasks import first_to_end
from headrace_api.mounts import HTTP_PORT

logger = logging.getLogger("headrace.worker")

TERMINATION_LOG = Path("/dev/termination-log")
EXIT_REFUSED = 2
Main = Callable[[WorkerSettings, App, StopSignals], Coroutine[Any, Any, int]]
EXIT_FAILED = 1


# glibc's name for the size from which a block is given back to the system when it is freed.
M_MMAP_THRESHOLD = -3
RETURNED_BYTES = 256 << 10


def return_large_blocks() -> None:
    """Left alone, glibc raises that size with the payloads that it meets, and payloads of megabytes
    leave a heap full of holes."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES)


def refuse(reason: str) -> int:
    """Say why this worker cannot start, where people and `kubectl` look; the exit code."""
    logger.error("%s", reason)
    with contextlib.suppress(OSError):
        if TERMINATION_LOG.exists():
            TERMINATION_LOG.write_text(reason)
    return EXIT_REFUSED


def run_worker(port: int = HTTP_PORT) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    return _run(partial(_serve, port=port), needs_handler=True)


def run_reclaim(deadline: float) -> int:
    """One pass over what is idle or due, which ends before its Job does; the exit code."""
    return _run(partial(_reclaim, deadline=deadline), needs_handler=False)


def _run(main: Main, *, needs_handler: bool) -> int:
    garbage.resume()
    signals = StopSignals()
    return_large_blocks()
    try:
        config = load_config(config_path())
        settings = WorkerSettings.of(config)
        if config.handler is not None:
            app = load_app(config.handler, config.code_dir)
            export_spans(f"{config.pipeline}-{config.group}")
        elif needs_handler:
            raise ConfigError("the configuration names no handler; a Custom group runs its own")
        else:
            app = App()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main(settings, app, signals))
    except (ConfigError, HandlerError, UnusableName) as error:
        return refuse(str(error))


async def _serve(settings: WorkerSettings, app: App, signals: StopSignals, *, port: int) -> int:
    stopping = signals.watch()
    metrics = Metrics(settings.config.pipeline, settings.config.group)
    registry = CollectorRegistry()
    registry.register(metrics)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    runtime = Runtime(settings, app, metrics)
    try:
        health = _health_server(port, registry, runtime)
    except ConfigError:
        await runtime.dispatcher.close()  # its slots outlive any other cancellation
        raise
    logger.info(
        "consumer %s of group %s on stream %s; %d handlers",
        settings.consumer,
        settings.config.consumer_group,
        settings.config.stream,
        len(app.handlers),
    )
    lifespan = contextlib.AsyncExitStack()
    try:
        if reason := await _enter(lifespan, app, stopping):
            return refuse(reason)
        if not stopping.is_set():
            await _work(runtime, stopping)
    finally:
        await runtime.dispatcher.close()  # its slots outlive any other cancellation
        left_well = await _leave(lifespan)
        health.close()
    return _end(runtime, left_well)


def _health_server(port: int, registry: CollectorRegistry, runtime: Runtime) -> HealthServer:
    """Raises ConfigError where nothing can listen on that port."""
    try:
        return HealthServer(port, registry, runtime.live, runtime.ready)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        reason = f"cannot listen on port {port}: {why}; give another with --port"
        raise ConfigError(reason) from None


async def _enter(stack: contextlib.AsyncExitStack, app: App, stopping: asyncio.Event) -> str | None:
    """Run the lifespan up to its yield, or until the signal; why it failed, else None."""
    task, entering = asyncio.current_task(), True
    assert task is not None

    def stop(_: object) -> None:
        if entering:
            task.cancel()

    # Not a task of its own: some contexts must be left by the task that entered them.
    signalled = asyncio.ensure_future(stopping.wait())
    signalled.add_done_callback(stop)
    try:
        await stack.enter_async_context(app.running())
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
        task.uncancel()
        logger.info("stopped while the app's lifespan started")
    except Exception as error:
        logger.debug("the lifespan failed", exc_info=True)
        text, name = describe(error)
        return f"the app's lifespan failed at start: {name}: {text}"
    finally:
        entering = False
        signalled.cancel()
    return None


async def _leave(stack: contextlib.AsyncExitStack) -> bool:
    """Run the lifespan from its yield on; False when it failed. Nothing is held any more."""
    try:
        await stack.aclose()
    except Exception:
        logger.exception("the app's lifespan failed at its end")
        return False
    return True


async def _work(runtime: Runtime, stopping: asyncio.Event) -> None:
    runtime.start()
    if await first_to_end(prepare(runtime), stopping.wait()) == 0:
        runtime.read()
        await first_to_end(runtime.failed.wait(), stopping.wait())
    logger.info("stopping: %d entries held", len(runtime.holding))
    await runtime.stop(runtime.settings.handler_timeout)
    logger.info("stopped")


async def _reclaim(
    settings: WorkerSettings, app: App, signals: StopSignals, *, deadline: float
) -> int:
    ends_at = time.monotonic() + pass_seconds(deadline, settings.handler_timeout)
    stopping = signals.watch()
    metrics = Metrics(settings.config.pipeline, settings.config.group)
    runtime = runtime_for(settings, app, metrics)
    lifespan = contextlib.AsyncExitStack()
    try:
        if reason := await _enter(lifespan, app, stopping):
            return refuse(reason)
        if stopping.is_set():
            return 0
        runtime.start()
        try:
            left = max(0.0, ends_at - time.monotonic())
            if await first_to_end(reclaim(runtime), stopping.wait(), asyncio.sleep(left)) == 0:
                logger.info("%s", summary(runtime))
            elif not stopping.is_set():
                done = summary(runtime)
                logger.warning("the deadline is near, and the next pass goes on; %s", done)
        except REDIS_ERRORS as error:
            logger.error("the pass was cut short: %s", sentence(error))
            runtime.failed.set()
        await runtime.stop(settings.handler_timeout)
    finally:
        await runtime.dispatcher.close()  # its slots outlive any other cancellation
        left_well = await _leave(lifespan)
    return _end(runtime, left_well)


def _end(runtime: Runtime, left_well: bool) -> int:
    code = EXIT_FAILED if runtime.failed.is_set() or not left_well else 0
    if runtime.dispatcher.left_behind:
        # Closing the loop would wait for handlers that ignore being told to stop.
        logger.warning(
            "%d handlers did not stop; ending without them", runtime.dispatcher.left_behind
        )
        logging.shutdown()
        os._exit(code)
    return code
