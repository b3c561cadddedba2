"""What the workers of a run are told: their configuration, their user, their environment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from headrace.streams.keys import StreamKeys
from headrace_api.v1alpha1 import Backoff, Delivery, Output
from headrace_api.worker_config import (
    DeadLetterTarget,
    Owner,
    RedisTarget,
    TrimConfig,
    WorkerConfig,
)
from tests.crash.scenarios import Scenario
from tests.crash.topology import Discovery
from tests.support.documented_users import producer_rights, worker_rights

STREAM = "{crash}:events"
OUTPUT = "{crash}:out"
PRODUCED = "{crash}:produced"
"""What producers send to, beside the stream of the workers."""
GROUP = "group"
KEYS = StreamKeys(STREAM).for_group(GROUP)
CONCURRENCY = 16
BATCH_SIZE = 50
TRIM_LENGTH = 10


def users(more: Sequence[str] = ()) -> list[str]:
    """ACL lines of the workers' user and the producers': the rights that the documentation asks
    for, and no others. `more`: those of the topology."""
    worker = worker_rights(STREAM, OUTPUT, "headrace:{crash}:*")
    producer = producer_rights(PRODUCED, "headrace:{crash}:sent:*")
    return [
        " ".join([name, "on", ">secret", *rights, *more])
        for name, rights in (("worker", worker), ("producer", producer))
    ]


def write(directory: Path, discovery: Discovery, scenario: Scenario) -> dict[str, str]:
    """Write what workers read; their environment."""
    credentials = directory / "credentials"
    credentials.mkdir()
    (credentials / "username").write_text("worker")
    (credentials / "password").write_text("secret")
    configuration = directory / "worker.json"
    configuration.write_text(_config(discovery.target(credentials), scenario).canonical_json())
    return {
        "HEADRACE_CONFIG": str(configuration),
        "HEADRACE_LOG_FORMAT": "json",
        "CRASH_RECORD": str(directory / "record"),
        "CRASH_HANG": str(directory / "hang"),
        "CRASH_OUTPUT": OUTPUT,
    }


def trim_config(port: int) -> str:
    return TrimConfig(
        redis=RedisTarget(endpoints=(f"127.0.0.1:{port}",)),
        stream=STREAM,
        groups=(GROUP,),
        max_length=TRIM_LENGTH,
    ).canonical_json()


def _config(redis: RedisTarget, scenario: Scenario) -> WorkerConfig:
    return WorkerConfig(
        namespace="crash",
        pipeline="crash",
        group=GROUP,
        consumer_group=GROUP,
        stream=STREAM,
        redis=redis,
        dead_letter=DeadLetterTarget(stream=KEYS.dead_letters, max_length=1_000_000),
        handler="tests.crash.handlers:app",
        concurrency=CONCURRENCY,
        batch_size=BATCH_SIZE,
        delivery=Delivery(
            handler_timeout=timedelta(seconds=scenario.handler_timeout),
            max_retries=100,
            max_crashes=1000,
            backoff=Backoff(initial=timedelta(milliseconds=50), max=timedelta(milliseconds=300)),
            min_idle=timedelta(seconds=scenario.min_idle),
        ),
        outputs=(Output(stream=OUTPUT),),
        owner=Owner(key="crash/crash", uid="crash"),
    )
