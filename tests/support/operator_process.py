"""The operator as a real process, as it runs in its pod."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

from tests.support.ports import free_port
from tests.support.waiting import until

COMMAND = Path(sys.executable).parent / "headrace-operator"


class OperatorProcess:
    """Dies with the test process; its log is kept and shown when a wait fails.

    `package`: a directory whose `headrace_operator` runs in place of the checkout's.
    """

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        *arguments: str,
        lease: str = "",
        package: Path | None = None,
    ) -> None:
        self.lease = lease or f"test-{uuid4().hex[:8]}"
        self.port = free_port()
        self.log = log
        self._file = log.open("ab")
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                str(COMMAND),
                f"--kubeconfig={kubeconfig}",
                "--http-host=127.0.0.1",
                f"--http-port={self.port}",
                "--lease-namespace=default",
                f"--lease-name={self.lease}",
                "--log-format=plain",
                *arguments,
            ],
            stdout=self._file,
            stderr=self._file,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **({"PYTHONPATH": str(package)} if package else {})},
        )

    def wait_ready(self) -> OperatorProcess:
        try:
            until("the operator is ready", lambda: self._get("/readyz") is not None, within=60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-4000:]}") from None
        return self

    def metrics_page(self) -> str:
        """All that /metrics says; empty before it answers."""
        return self._get("/metrics") or ""

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each sample of a metric, all of one moment."""
        found = (
            re.match(r"([a-z_]+)(?:\{(.*)\})? (\S+)$", line)
            for line in self.metrics_page().splitlines()
        )
        return [
            (dict(re.findall(r'(\w+)="([^"]*)"', one[2] or "")), float(one[3]))
            for one in found
            if one and one[1] == name
        ]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that carry these labels."""
        samples = self.samples(name)
        return sum(value for given, value in samples if labels.items() <= given.items())

    @property
    def leads(self) -> bool:
        return self.metric("headrace_operator_leader") == 1

    def readiness(self) -> str:
        """What /readyz says; empty before it answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as one:
                return str(one.read().decode())
        except urllib.error.HTTPError as refusal:
            return refusal.read().decode()
        except OSError:
            return ""

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if not self.has_ended:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self._file.close()

    def _get(self, path: str) -> str | None:
        if self.has_ended:
            raise RuntimeError(f"the operator has ended:\n{self.log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except (OSError, urllib.error.URLError):
            return None
