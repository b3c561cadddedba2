"""Prometheus and promtool of Debian, unpacked and run with their own libraries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.cluster.images import debian
from tests.support.ports import free_port


def promtool(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in a directory; its output is for the assertion's message."""
    command = debian.own_loader(debian.unpacked(debian.PROMETHEUS), "promtool")
    return subprocess.run(
        [*command, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )


class Prometheus:
    """A real Prometheus that scrapes one address of this machine each second. `job`: more fields
    of its scrape_config."""

    def __init__(self, directory: Path, target: str, **job: Any) -> None:
        self.port = free_port()
        scrape = {
            "job_name": "headrace",
            "honor_labels": True,
            "static_configs": [{"targets": [target]}],
            **job,
        }
        config = directory / "prometheus.yml"
        config.write_text(
            yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]})
        )
        self._log = (directory / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                *debian.own_loader(debian.unpacked(debian.PROMETHEUS), "prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query. Raises HTTPError when Prometheus refuses it."""
        words = urlencode({"query": expression})
        address = f"http://127.0.0.1:{self.port}/api/v1/query?{words}"
        with urlopen(address, timeout=10) as answer:
            series: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return series

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        self._log.close()
