"""Producers of all kinds, which send over the same failing connections to a stream of their own.

`python -m tests.crash.producers URL STREAM RECORD ENOUGH` sends: a parent with a `SyncProducer`
made before it forks, its children with the one that they inherit, and a child with a `Producer`.
Each goes on until the file ENOUGH is there, so that every fault meets them at work, and writes
down, per event, `<who> <number> <entry id or "-"> <why not>`. Nothing that the harm does lasts as
long as they may try again, so each event must be in the stream, once, under its own id.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import redis

import headrace

CHILDREN = 4
RETRY_SECONDS = 60.0
AT_LEAST = 150
PAUSE_SECONDS = 0.02
END_SECONDS = 120.0
NULL_IDS = [{"who": "command", "number": n, "id": None if n % 2 else f"id-{n}"} for n in range(20)]
MAIN = "from headrace.cli import main; main()"


class Producers:
    """The process with its children, and what must be in the stream when they have ended."""

    def __init__(self, directory: Path, environment: Mapping[str, str], stream: str) -> None:
        self.environment = {**os.environ, **environment}
        self.stream = stream
        self.record = directory / "produced"
        self._enough = directory / "enough"
        self.lines = directory / "lines"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, url: str, server_port: int) -> None:
        """Send by the command, past the proxy; then start the others. `url`: theirs."""
        self.lines.write_text("\n".join(map(json.dumps, NULL_IDS)))
        self._run(
            ["-c", MAIN, "send", self.stream, "--type", "made", "--id-field", "id"],
            [
                "--file",
                str(self.lines),
                "--url",
                f"redis://producer:secret@127.0.0.1:{server_port}",
            ],
        ).wait()
        self._process = self._run(
            [
                "-m",
                "tests.crash.producers",
                url,
                self.stream,
                *map(str, (self.record, self._enough)),
            ],
            [],
        )

    def _run(self, words: Sequence[str], more: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, *words, *more],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> list[str]:
        """Let them end, and wait for it; a sentence when it was no good one."""
        if self._process is None:
            return []
        self._enough.touch()
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.close()
            return [f"the producers did not end within {END_SECONDS:.0f} s"]
        return [f"the producers ended with {code}"] if code else []

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def check(self, client: redis.Redis) -> list[tuple[str, str]]:
        """A broken bound and a sentence for each event that is lost, doubled, given up, or under
        another's id."""
        entries = dict(client.xrange(self.stream))
        return [
            *differences(self.record.read_text().splitlines(), entries),
            *(("event-ids", sentence) for sentence in wrong_ids(entries.values())),
        ]


def differences(
    lines: Sequence[str], entries: Mapping[bytes, Mapping[bytes, bytes]]
) -> list[tuple[str, str]]:
    """What was written down by the producers, against what the stream holds. Pure."""
    found = Counter(_name(fields) for fields in entries.values())
    wrong = []
    for line in lines:
        who, number, entry_id, why = line.split(" ", 3)
        name = f"{who} {number}"
        if entry_id == "-":
            wrong.append(("not-sent", f"event {name} was given up: {why}"))
        elif found[name] != 1:
            wrong.append(("produced", f"event {name} is {found[name]} times in the stream"))
        elif _name(entries.get(entry_id.encode(), {})) != name:
            wrong.append(("produced", f"event {name} is not under the id that was answered"))
    return wrong


def wrong_ids(entries: Iterable[Mapping[bytes, bytes]]) -> list[str]:
    """Events of the command whose id is not the one that their line names. Pure."""
    wrong = []
    for fields in entries:
        payload = json.loads(fields[b"payload"])
        if payload["who"] == "command":
            wanted, is_ = payload["id"], fields.get(b"id")
            if is_ != (None if wanted is None else wanted.encode()):
                wrong.append(f"the command sent id {is_!r} of a line with the id {wanted!r}")
    return wrong


def _name(fields: Mapping[bytes, bytes]) -> str:
    payload = json.loads(fields[b"payload"]) if b"payload" in fields else {}
    return f"{payload.get('who')} {payload.get('number')}"


def _event(who: str, number: int) -> headrace.Event:
    return headrace.Event("made", {"who": who, "number": number})


def _numbers(enough: Path) -> Iterator[int]:
    number = 0
    while number < AT_LEAST or not enough.exists():
        yield number
        number += 1


def _send(producer: headrace.SyncProducer, who: str, numbers: Iterable[int], record: int) -> None:
    for number in numbers:
        try:
            entry_id, why = producer.send(_event(who, number)), ""
        except headrace.NotSent as error:
            entry_id, why = "-", str(error)
        os.write(record, f"{who} {number} {entry_id} {why}\n".encode())
        time.sleep(PAUSE_SECONDS)


async def _send_async(url: str, stream: str, who: str, numbers: Iterable[int], record: int) -> None:
    async with headrace.Producer.from_url(url, stream, retry_seconds=RETRY_SECONDS) as producer:
        for number in numbers:
            try:
                entry_id, why = await producer.send(_event(who, number)), ""
            except headrace.NotSent as error:
                entry_id, why = "-", str(error)
            os.write(record, f"{who} {number} {entry_id} {why}\n".encode())
            await asyncio.sleep(PAUSE_SECONDS)


def main(url: str, stream: str, record: str, enough: str) -> int:
    until = Path(enough)
    file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    producer = headrace.SyncProducer.from_url(url, stream, retry_seconds=RETRY_SECONDS)
    _send(producer, "parent", range(1), file)
    children = []
    for child in range(CHILDREN):
        if pid := os.fork():
            children.append(pid)
            continue
        if child:
            _send(producer, f"child{child}", _numbers(until), file)
        else:
            asyncio.run(_send_async(url, stream, f"child{child}", _numbers(until), file))
        os._exit(0)
    _send(producer, "parent_again", _numbers(until), file)
    producer.close()
    return max(os.waitpid(pid, 0)[1] for pid in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
