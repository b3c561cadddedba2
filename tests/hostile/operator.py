"""The operator under test: one process for all seeds, started again whenever it ends."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from signal import Signals
from typing import Any
from uuid import uuid4

import urllib3

from headrace_operator.kube.kinds import CONFIG_MAP, LEASE
from tests.hostile.rights import HOME
from tests.support.kube import Kube, Refused
from tests.support.operator_process import OperatorProcess

SHORT_PATIENCE = (
    "--full-look=2",
    "--resync=30",
    "--deletion-patience=5",
    # A slow machine must not depose the only operator.
    "--lease-duration=60",
    "--lease-renew-deadline=40",
    "--lease-retry-period=0.5",
    f"--lease-namespace={HOME}",
)
TICK_SECONDS = 0.1
LONGEST_TICK_SECONDS = 0.15


class Operator:
    """`served` is the clock of the oracles. It stands still while no operator leads, and while a
    machine that is too busy lets a thread sleep too long, the API server a write wait, or the
    operator stand in line for a processor. What the operator computes itself counts."""

    def __init__(
        self, kube: Kube, kubeconfig: Path, directory: Path, package: Path | None = None
    ) -> None:
        self._kube = kube
        self._kubeconfig = kubeconfig
        self._package = package
        self._lease = f"hostile-{uuid4().hex[:8]}"
        self._wanted = True
        self._held_down = 0
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self.log = directory / "operator.log"
        self.served = 0.0
        self.starts = 0
        self.ended_by_itself: list[str] = []
        self._leads = False
        self._led_from = 0.0
        self._process: OperatorProcess | None = None
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._tick, self._supervise)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.wait_until_it_leads()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        if self._process is not None:
            self._process.stop()

    def signal(self, number: Signals) -> None:
        """SIGTERM or SIGKILL; the next one starts by itself, unless it is held down."""
        with self._lock:
            process = self._process
            if process is None or process.process.poll() is not None:
                return
            self._leads = False
            self._process = None
            process.process.send_signal(number)
            process.process.wait(40)
            if number is Signals.SIGKILL:
                self._give_the_lease_back()

    def _give_the_lease_back(self) -> None:
        """As it would run out by itself, but nobody waits a minute for that."""
        given_back = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
        self._kube.patch(LEASE, HOME, self._lease, given_back)

    def hold_down(self, number: Signals) -> None:
        """Nobody starts it again before as many `let_up`."""
        self._held_down += 1
        self.signal(number)

    def let_up(self) -> None:
        self._held_down -= 1

    @property
    def away(self) -> bool:
        return not self._leads

    @property
    def leads_for(self) -> float:
        """Served seconds since this process began to lead: it knows only what it saw in them."""
        return self.served - self._led_from if self._leads else 0.0

    def wait_until_it_leads(self, within: float = 90.0) -> None:
        deadline = time.monotonic() + within
        while not self._leads:
            if time.monotonic() > deadline:
                raise AssertionError(f"the operator does not lead: {self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def written(self, since: int) -> str:
        """The log from this byte on."""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def _tick(self) -> None:
        before, stood_before = time.monotonic(), self._stood_in_line()
        while not self._stop.is_set():
            time.sleep(TICK_SECONDS)
            self._write_something()
            now, stood = time.monotonic(), self._stood_in_line()
            if self._leads:
                stood_still = min(max(stood - stood_before, 0.0) / (now - before), 1.0)
                self.served += min(now - before, LONGEST_TICK_SECONDS) * (1 - stood_still)
            before, stood_before = now, stood

    def _stood_in_line(self) -> float:
        """Seconds in which the operator's one loop could have run, had a processor been free."""
        process = self._process
        if process is None:
            return 0.0
        try:
            _, nanoseconds, _ = Path(f"/proc/{process.process.pid}/schedstat").read_text().split()
        except (OSError, ValueError):  # it has ended
            return 0.0
        return int(nanoseconds) / 1e9

    def _write_something(self) -> None:
        """As an operator would; what it takes is no operator's fault."""
        probe: dict[str, Any] = {"apiVersion": "v1", "kind": CONFIG_MAP.kind}
        probe |= {"metadata": {"name": "probe", "namespace": HOME}}
        probe |= {"data": {"at": str(time.monotonic())}}
        with contextlib.suppress(Refused, OSError, urllib3.exceptions.HTTPError):
            self._kube.apply(probe)

    def _supervise(self) -> None:
        while not self._stop.wait(0.1):
            with self._lock:
                process = self._process
                if process is not None and process.process.poll() is not None:
                    self._leads = False
                    self.ended_by_itself.append(f"exit status {process.process.returncode}")
                    self._process = process = None
                if process is None and not self._held_down and not self._stop.is_set():
                    self._process = process = self._run()
            if process is not None and not self._leads and process.process.poll() is None:
                self._led_from = self.served
                self._leads = _leads(process) and process is self._process

    def _run(self) -> OperatorProcess:
        self.starts += 1
        return OperatorProcess(
            self._kubeconfig,
            self.log,
            *SHORT_PATIENCE,
            "--log-format=json",
            lease=self._lease,
            package=self._package,
        )


def _leads(process: OperatorProcess) -> bool:
    try:
        return process.leads
    except RuntimeError:  # it has ended meanwhile
        return False
