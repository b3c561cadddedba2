"""What an event costs in Redis, by the size of its payload, and what a group adds to it.

`python -m bench.memory` fills a real server of each kind and divides its `used_memory`. The table
of docs/operate/sizing.md and the figures in `headrace plan` are copied from what it prints.
"""

import argparse
import os
from collections.abc import Iterator

import redis
from tests.support.redis_servers import running

from headrace.streams.keys import StreamKeys

KINDS = ("redis", "valkey")
PAYLOADS = (16, 64, 128, 256, 512, 1024, 2048, 4096, 16384)
CONSUMER = "flights-delays-6d5f9c7b8-x2k4q-1a2b3c4d"
STREAM, GROUP, BATCH = "flights", "delays", 500
KEYS = StreamKeys(STREAM).for_group(GROUP)
MOST_BYTES = 60_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=50_000, help="fewer of the large sizes")
    parser.add_argument("--only", type=int, help="one payload size in bytes")
    told = parser.parse_args()
    for kind in KINDS:
        with running(kind) as server, redis.Redis(port=server.port) as client:
            info = client.info("server")
            name = info.get("valkey_version") or info["redis_version"]
            print(
                f"\n{kind} {name}\n{'payload':>8} {'entries':>9} {'bytes/entry':>11} {'beside':>7}"
            )
            for payload in [told.only] if told.only else PAYLOADS:
                entries = told.entries if told.only else min(told.entries, MOST_BYTES // payload)
                each = stream_bytes(client, payload, entries)
                print(f"{payload:>8,} {entries:>9,} {each:>11.1f} {each - payload:>7.1f}")
            if not told.only:
                for what, each in beside(client, told.entries):
                    print(f"{what}: {each:.1f} bytes")


def used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def stream_bytes(client: redis.Redis, payload: int, entries: int) -> float:
    """Bytes of memory for one event, with the type and version of the wire format."""
    client.execute_command("FLUSHALL", "SYNC")
    before = used(client)
    fill(client, payload, entries)
    return (used(client) - before) / entries


def fill(client: redis.Redis, payload: int, entries: int) -> None:
    body = os.urandom(payload)
    for _ in range(entries // BATCH):
        pipeline = client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipeline.xadd(STREAM, {"type": "flight.landed", "version": 1, "payload": body})
        pipeline.execute()


def beside(client: redis.Redis, entries: int) -> Iterator[tuple[str, float]]:
    """What one more costs: pending, parked, remembered, dead."""
    client.execute_command("FLUSHALL", "SYNC")
    fill(client, 64, entries)
    client.xgroup_create(STREAM, GROUP, "0")
    before = used(client)
    read = client.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, entries)
    ids = [entry for entry, _ in read[0][1]]
    yield "a pending entry", (used(client) - before) / entries
    before = used(client)
    for start in range(0, entries, BATCH):
        part = ids[start : start + BATCH]
        record = "1 0 0 0 1700000000000 KeyError: 'price'"
        client.zadd(KEYS.retry, {b"m:" + i: 1.7e12 for i in part})
        client.hset(KEYS.failures, mapping={b"m:" + i: record for i in part})
    yield "a parked entry, beside being pending", (used(client) - before) / entries
    before = used(client)
    for start in range(0, entries, BATCH):
        pipeline = client.pipeline(transaction=False)
        for i in ids[start : start + BATCH]:
            pipeline.set(KEYS.seen(os.urandom(18).hex().encode()), b"m:" + i, ex=86_400)
        pipeline.execute()
    yield "a mark of deduplication (id of 36 characters)", (used(client) - before) / entries
    before = used(client)
    for start in range(0, entries, BATCH):
        pipeline = client.pipeline(transaction=False)
        for i in ids[start : start + BATCH]:
            pipeline.xadd(KEYS.dead_letters, letter(i))
        pipeline.execute()
    yield "a dead letter, beside its payload of 64", (used(client) - before) / entries - 64


def letter(entry: bytes) -> dict[str, object]:
    return {
        "original_id": entry,
        "original_stream": STREAM,
        "group": GROUP,
        "type": "flight.landed",
        "version": "1",
        "error": "arr_delay: field required",
        "error_type": "InvalidPayload",
        "consumer": CONSUMER,
        "attempts": "1",
        "crashes": "0",
        "first_seen": "1795713107825",
        "dead_at": "1795713107999",
        "f:type": "flight.landed",
        "f:version": "1",
        "f:payload": b"x" * 64,
    }


if __name__ == "__main__":
    main()
