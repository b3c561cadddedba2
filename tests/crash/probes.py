"""Asks each worker what a kubelet and Prometheus ask, and how much memory it took at most."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

from tests.crash.fleet import SERVED, Fleet, Worker

PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 5.0
HELD = re.compile(rb"^headrace_(?:worker_)?held(?:\{[^}]*\})? (\S+)", re.MULTILINE)
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class Probes:
    """A thread. `unwell`: what /livez said of workers that should be well."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.unwell: list[str] = []
        self.answers = 0
        """How often a worker said what it holds: with none, all that is asked here is unknown."""
        self.most_held = 0
        self.most_mebibytes = 0.0
        """Of memory that one worker took."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            for worker in list(self.fleet.running):
                # One that is killed or paused meanwhile does not answer, or breaks off.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self._ask(worker)

    def _ask(self, worker: Worker) -> None:
        if not (port := worker.said(SERVED)):
            return
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        if peak := PEAK.search(status):
            self.most_mebibytes = max(self.most_mebibytes, int(peak[1]) / 1024)
        base = f"http://127.0.0.1:{port}"
        try:
            urllib.request.urlopen(f"{base}/livez", timeout=ANSWER_SECONDS).close()
        except urllib.error.HTTPError as error:
            self.unwell.append(f"{worker.pod}: {error.read().decode().strip()}")
        with urllib.request.urlopen(f"{base}/metrics", timeout=ANSWER_SECONDS) as answer:
            if held := HELD.search(answer.read()):
                self.answers += 1
                self.most_held = max(self.most_held, int(float(held[1])))
