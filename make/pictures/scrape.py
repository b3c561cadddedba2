"""A Prometheus beside the demo: it scrapes operator and workers through the API server, so that it
needs no way into the cluster's network."""

import json
import math
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from examples.flights.demo.commands import CommandFailed, Kubectl
from tests.support.prometheus import Prometheus

STEPS = 240
"""Points of a line."""


@contextmanager
def api_server(kubectl: Kubectl) -> Iterator[str]:
    """host:port of a `kubectl proxy`, with the rights of the kubeconfig."""
    command = [kubectl.program, "--kubeconfig", str(kubectl.kubeconfig), "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:\d+", first)
            if found is None:
                raise CommandFailed(f"kubectl proxy: {first.strip()}")
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def scraping(address: str, directory: Path) -> Iterator[Prometheus]:
    """Prometheus with every pod that has a port named `http`: the operator's and the workers'."""
    server = Prometheus(directory, address, **job(address))
    try:
        yield server
    finally:
        server.close()


def job(address: str) -> dict[str, Any]:
    """The scrape_config: the pods are found, and each is asked by way of the API server."""

    def pod(name: str) -> str:
        return f"__meta_kubernetes_pod_{name}"

    place = ["__meta_kubernetes_namespace", pod("name"), pod("container_port_number")]
    path = "/api/v1/namespaces/$1/pods/$2:$3/proxy/metrics"
    return {
        "static_configs": [],
        "kubernetes_sd_configs": [{"role": "pod", "api_server": f"http://{address}"}],
        "relabel_configs": [
            {"source_labels": [pod("container_port_name")], "regex": "http", "action": "keep"},
            {"source_labels": [pod("name")], "target_label": "pod"},
            {
                "source_labels": place,
                "separator": "/",
                "regex": "([^/]+)/([^/]+)/([^/]+)",
                "target_label": "__metrics_path__",
                "replacement": path,
            },
            {"target_label": "__address__", "replacement": address},
        ],
    }


class Answers:
    """What Prometheus says to the targets of a dashboard about a time that is over."""

    def __init__(self, server: Prometheus, span: tuple[float, float], instant: float) -> None:
        """`instant`: when tables are asked about, Unix seconds."""
        self._server, self._span, self._instant = server, span, instant

    def __call__(
        self, target: dict[str, Any]
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        expression = target["expr"].replace("$__rate_interval", "15s")
        expression = re.sub(r"\$(namespace|pipeline|group)\b", ".*", expression)
        if target["instant"]:
            found = self._ask("query", query=expression, time=self._instant)
            return [(one["metric"], [(0.0, float(one["value"][1]))]) for one in found]
        begin, end = self._span
        step = max(1, round((end - begin) / STEPS))
        found = self._ask("query_range", query=expression, start=begin, end=end, step=step)
        return [(one["metric"], _numbers(one["values"])) for one in found]

    def _ask(self, kind: str, **words: Any) -> list[dict[str, Any]]:
        address = f"http://127.0.0.1:{self._server.port}/api/v1/{kind}?{urlencode(words)}"
        with urlopen(address, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def _numbers(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    """Without NaN: the median of no event."""
    read = ((float(at), float(value)) for at, value in values)
    return [(at, value) for at, value in read if not math.isnan(value)]
