"""Producers of all kinds, which send over the same failing connections to a stream of their own.

`python -m tests.crash.producers URL STREAM RECORD EACH` sends: a parent with a `SyncProducer` made
before it forks, its children with the one that they inherit, and a child with a `Producer`. Each
writes down, per event, `<who> <number> <entry id or "-"> <why not>`. Nothing that the harm does
lasts as long as they may try again, so each event must be in the stream, once, under its own id.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import redis

import headrace

CHILDREN = 4
RETRY_SECONDS = 60.0
EACH = 150
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
            ["-m", "tests.crash.producers", url, self.stream, str(self.record), str(EACH)], []
        )

    def _run(self, words: Sequence[str], more: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, *words, *more],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> list[str]:
        """Wait for their end; a sentence when it was no good one."""
        if self._process is None:
            return []
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


def _send(producer: headrace.SyncProducer, who: str, each: int, record: int) -> None:
    for number in range(each):
        try:
            entry_id, why = producer.send(_event(who, number)), ""
        except headrace.NotSent as error:
            entry_id, why = "-", str(error)
        os.write(record, f"{who} {number} {entry_id} {why}\n".encode())
        time.sleep(PAUSE_SECONDS)


async def _send_async(url: str, stream: str, who: str, each: int, record: int) -> None:
    async with headrace.Producer.from_url(url, stream, retry_seconds=RETRY_SECONDS) as producer:
        for number in range(each):
            try:
                entry_id, why = await producer.send(_event(who, number)), ""
            except headrace.NotSent as error:
                entry_id, why = "-", str(error)
            os.write(record, f"{who} {number} {entry_id} {why}\n".encode())
            await asyncio.sleep(PAUSE_SECONDS)


def main(url: str, stream: str, record: str, each: int) -> int:
    file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    producer = headrace.SyncProducer.from_url(url, stream, retry_seconds=RETRY_SECONDS)
    _send(producer, "parent", 1, file)
    children = []
    for child in range(CHILDREN):
        if pid := os.fork():
            children.append(pid)
            continue
        if child:
            _send(producer, f"child{child}", each, file)
        else:
            asyncio.run(_send_async(url, stream, f"child{child}", each, file))
        os._exit(0)
    _send(producer, "parent_again", each, file)
    producer.close()
    return max(os.waitpid(pid, 0)[1] for pid in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], int(sys.argv[4])))  # type: ignore[call-arg,arg-type]
