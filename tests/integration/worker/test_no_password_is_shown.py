"""A password that is known beforehand is looked for in everything that a worker shows."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.support.redis_servers import running
from tests.support.waiting import WAIT_SECONDS, until
from tests.support.workers import GROUP, STREAM, Stage, WorkerProcess, workers

PASSWORD = "c4nary-of-the-worker"
pytestmark = pytest.mark.timeout(400)
PORT = re.compile(r"metrics and probes on port (\d+)")
HANDLERS = """
    @app.on("flight.landed")
    async def landed(event: dict, ctx: headrace.Context) -> None:
        if event["n"] == 2:
            raise ValueError(f"cannot handle it with {ctx.redis}")
        effect(event["n"])
"""


def shown_by(worker: WorkerProcess) -> str:
    """Its log, its arguments, what /readyz and /metrics say."""
    port = PORT.search(worker.text)
    assert port, worker.text
    pages = []
    for path in ("metrics", "readyz", "livez"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/{path}") as answer:
                pages.append(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            pages.append(refusal.read().decode())
    process = Path(f"/proc/{worker.process.pid}")
    arguments = process.joinpath("cmdline").read_text() + process.joinpath("environ").read_text()
    return "".join([worker.text, arguments, *pages])


def test_no_password_is_in_a_log_an_argument_a_metric_or_a_dead_letter(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "username").write_text("flights")
    (secret / "password").write_text(PASSWORD)
    with running("redis") as server:
        stage = Stage(server)
        rules = ("on", f">{PASSWORD}", "allkeys", "allchannels", "allcommands")
        stage.redis.execute_command("ACL", "SETUSER", "flights", *rules)
        stage.send({"n": 1}, {"n": 2})
        way = {"endpoints": [server.endpoint], "credentialsDir": str(secret)}
        with workers(stage, HANDLERS, redis=way, delivery={"maxRetries": 0}) as started:
            one = started.start("pod-a", "-v", "worker", "--port", "0")
            until("one is dead", lambda: len(stage.dead) == 1, within=2 * WAIT_SECONDS)
            assert PASSWORD not in shown_by(one) + str(stage.dead)

            # Refused from now on, the next worker from its beginning.
            (secret / "password").write_text(f"{PASSWORD}-of-yesterday")
            stage.redis.execute_command("CLIENT", "KILL", "USER", "flights")
            two = started.start("pod-b", "-v", "worker", "--port", "0")
            for worker in (one, two):
                until(
                    "it says that it is refused",
                    lambda worker=worker: (
                        "WRONGPASS" in worker.text or "credentials" in worker.text.lower()
                    ),
                    within=2 * WAIT_SECONDS,
                )
                assert PASSWORD not in shown_by(worker)


def test_no_password_of_an_address_is_printed_by_a_command() -> None:
    url = f"redis://flights:{PASSWORD}@127.0.0.1:1/0"
    for words in (
        ["backlog", STREAM, GROUP, "--url", url],
        ["backlog", STREAM, GROUP, "--url", url.replace("redis", "reids")],
        ["dead", "list", "--stream", STREAM, "--url", url],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "headrace", "-v", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert PASSWORD not in done.stdout + done.stderr, words
