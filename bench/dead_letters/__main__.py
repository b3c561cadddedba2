"""A million dead letters: listed, grouped, sent back in part, in memory that does not grow.

`python -m bench.dead_letters` fills a real server of each kind and runs the commands as processes.
It exits 1 where a command needed `FLAT_MIB` more memory than with a hundredth of the letters.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis
from tests.support.redis_servers import RedisServer, running

from headrace.streams.keys import StreamKeys

KINDS = ("redis", "valkey")
STREAM, GROUP = "flights", "delays"
KEYS = StreamKeys(STREAM).for_group(GROUP)
FLAT_MIB = 8.0
BATCH = 500
RARE_EVERY = 100
PEAK = re.compile(r"^peak (\d+) (\d+)$", re.MULTILINE)
CODE = """
import re, sys, time
from headrace.cli import app
began, code = time.monotonic(), 0
try:
    app(sys.argv[1:], standalone_mode=False)
finally:
    kib = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    print(f"peak {kib} {round(1000 * (time.monotonic() - began))}", file=sys.stderr)
"""

COMMANDS = {
    "grouped by error": ("list",),
    "each, the first 1,000": ("list", "--each", "--limit", "1000"),
    "each, all, as JSON": ("list", "--each", "--limit", "100000000", "-o", "json"),
    "exported": ("export",),
    "a dry run of all": ("replay", "--all", "--dry-run"),
    "one in a hundred replayed": ("replay", "--error", "price"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    seconds: float
    mib: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000)
    parser.add_argument("--only", choices=KINDS)
    told = parser.parse_args()
    grew = False
    for kind in [told.only] if told.only else KINDS:
        with running(kind) as server:
            few = dict(_figures(server, told.letters // 100))
            print(f"\n{kind}: {told.letters:,} letters (a hundredth of them)", flush=True)
            for what, figure in _figures(server, told.letters):
                less = few[what]
                grew = grew or figure.mib > less.mib + FLAT_MIB
                print(
                    f"{what:<26} {figure.seconds:>7.1f} s {figure.mib:>6.0f} MiB"
                    f"   ({less.seconds:.1f} s {less.mib:.0f} MiB)",
                    flush=True,
                )
    return int(grew)


def _figures(server: RedisServer, letters: int) -> Iterator[tuple[str, Figure]]:
    fill(server, letters)
    for what, command in COMMANDS.items():
        yield what, _run(server, command)
    with redis.Redis(port=server.port) as client:
        replayed, left = client.xlen(KEYS.replay), client.xlen(KEYS.dead_letters)
    rare = letters // RARE_EVERY
    assert (replayed, left) == (rare, letters - rare), "nothing lost, nothing doubled"


def fill(server: RedisServer, letters: int) -> None:
    with redis.Redis(port=server.port) as client:
        client.execute_command("FLUSHALL", "SYNC")
        for stream in (KEYS.stream, KEYS.replay):
            client.xgroup_create(stream, GROUP, "0", mkstream=True)
        for start in range(0, letters, BATCH):
            pipeline = client.pipeline(transaction=False)
            for n in range(start, min(letters, start + BATCH)):
                pipeline.xadd(KEYS.dead_letters, letter(n))
            pipeline.execute()


def letter(n: int) -> dict[str, str]:
    error = ("InvalidPayload", "arr_delay: field required")
    if n % RARE_EVERY == 0:
        error = ("KeyError", "'price' (landed, line 20)")
    return {
        "original_id": f"{1_795_680_000_000 + n}-0",
        "original_stream": STREAM,
        "group": GROUP,
        "type": "flight.landed",
        "version": "1",
        "error": error[1],
        "error_type": error[0],
        "consumer": "flights-delays-6d5f9c7b8-x2k4q-1a2b3c4d",
        "attempts": "1",
        "crashes": "0",
        "first_seen": "1795680200215",
        "dead_at": "1795680300215",
        "f:type": "flight.landed",
        "f:version": "1",
        "f:payload": json.dumps({"carrier": "UA", "number": n, "note": "x" * 100}),
    }


def _run(server: RedisServer, command: Sequence[str]) -> Figure:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CODE, "dead", *command, "--stream", STREAM],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HEADRACE_REDIS_URL": f"redis://{server.endpoint}/0"},
    )
    found = PEAK.search(done.stderr)
    assert found is not None, done.stderr
    return Figure(time.monotonic() - began, int(found[1]) / 1024)


if __name__ == "__main__":
    sys.exit(main())
