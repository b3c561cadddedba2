"""What the API server shows of all namespaces, kept current by watches, and every change of it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    SERVICE_ACCOUNT,
    STREAM_PIPELINE,
    Kind,
)
from tests.support.kube import Kube, Refused

Manifest = dict[str, Any]
WRITTEN = (STREAM_PIPELINE, DEPLOYMENT, CRON_JOB, CONFIG_MAP, SERVICE_ACCOUNT)
"""Kinds that the operator writes."""
PASSED = frozenset({"resourceVersion", "managedFields"})
WATCHED = (*WRITTEN, REPLICA_SET, JOB, POD)


@dataclass(frozen=True)
class Change:
    at: float
    kind: str
    name: str
    what: str
    """Paths that differ; ADDED or DELETED."""


class Seen:
    """A thread for each kind. Objects are the watch's own: nobody may alter them."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._objects: dict[str, dict[tuple[str, str], Manifest]] = {k.kind: {} for k in WATCHED}
        self._changes: defaultdict[str, list[Change]] = defaultdict(list)
        self._listeners: list[Callable[[str, Manifest], None]] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=[kind], daemon=True) for kind in WATCHED
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def on_pod(self, listener: Callable[[str, Manifest], None]) -> None:
        self._listeners.append(listener)

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        return self._objects[kind.kind].get((namespace, name))

    def all(self, kind: Kind, namespace: str) -> list[Manifest]:
        found = list(self._objects[kind.kind].items())
        return [seen for (where, _), seen in found if where == namespace]

    def changes(self, namespace: str, since: float) -> list[Change]:
        """Of what the operator writes, in the order they came."""
        return [change for change in self._changes[namespace] if change.at >= since]

    def forget(self, namespace: str) -> None:
        self._changes.pop(namespace, None)

    def _follow(self, kind: Kind) -> None:
        kube = Kube(self._kubeconfig)
        since = "0"
        while not self._stop.is_set():
            try:
                for type_, seen in kube.watch(kind, None, since, quiet=2):
                    if type_ == "ERROR":
                        since = "0"
                        self._objects[kind.kind].clear()
                        break
                    since = seen["metadata"]["resourceVersion"]
                    self._note(kind, type_, seen)
                    if self._stop.is_set():
                        return
            except (Refused, OSError, urllib3.exceptions.HTTPError):
                time.sleep(0.2)

    def _note(self, kind: Kind, type_: str, seen: Manifest) -> None:
        metadata = seen["metadata"]
        place = (metadata["namespace"], metadata["name"])
        before = self._objects[kind.kind].get(place)
        if type_ == "DELETED":
            self._objects[kind.kind].pop(place, None)
        else:
            self._objects[kind.kind][place] = seen
        if kind in WRITTEN:
            modified = type_ == "MODIFIED" and before is not None
            what = ", ".join(differing(before, seen, kind)) if modified else type_
            if what:
                change = Change(time.monotonic(), kind.kind, place[1], what)
                self._changes[place[0]].append(change)
        if kind is POD:
            for listener in self._listeners:
                listener(type_, seen)


def differing(before: Any, after: Any, kind: Kind) -> Iterator[str]:
    """Where two objects differ in what the operator writes; the status of children is others'."""
    passed = PASSED if kind is STREAM_PIPELINE else PASSED | {"status"}
    return _differing(
        {name: one for name, one in before.items() if name not in passed},
        {name: one for name, one in after.items() if name not in passed},
        "",
    )


def _differing(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted((before.keys() | after.keys()) - PASSED):
            yield from _differing(before.get(name), after.get(name), f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differing(old, new, f"{path}.{number}")
    elif before != after:
        yield f"{path}: {str(before)[:80]} -> {str(after)[:80]}"
