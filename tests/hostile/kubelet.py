"""A node that runs nothing: it says of its pods what a kubelet would, or what it is told to say."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from headrace_api.names import PIPELINE_LABEL
from headrace_operator.kube.kinds import POD, Kind
from tests.hostile.seen import Manifest
from tests.support.kube import Kube, Refused

NODE = Kind("v1", "Node", "nodes")
LEASE_PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NAME = "hostile"
START_SECONDS = 0.2
HEARTBEAT_SECONDS = 10.0
ILLS = ("crash", "pull", "hang")
"""Containers that end at once, images that cannot be had, and neither a start nor an end."""


class Kubelet:
    def __init__(self, kubeconfig: Path) -> None:
        self._kube = Kube(kubeconfig)
        self._waiting: deque[tuple[float, str, str]] = deque()
        self._pods: dict[tuple[str, str], Manifest] = {}
        self._ills: dict[tuple[str, str], str] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._work, self._beat)
        ]

    def start(self) -> None:
        room = {"pods": "20000", "cpu": "10000", "memory": "10000Gi", "ephemeral-storage": "9000Gi"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NAME, "labels": {"kubernetes.io/hostname": NAME}},
            "status": {"capacity": room, "allocatable": room, "conditions": [_condition("Ready")]},
        }
        if not self._try("POST", NODE.path(None), node):
            self._try("PATCH", NODE.path(None, NAME, "status"), {"status": node["status"]})
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """The node goes, too: else the scheduler gives it pods of others, which then never end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._try("DELETE", NODE.path(None, NAME), {"gracePeriodSeconds": 0})

    def saw(self, type_: str, pod: Manifest) -> None:
        """Told of every change of every pod."""
        metadata = pod["metadata"]
        place = (metadata["namespace"], metadata["name"])
        if type_ == "DELETED":
            self._pods.pop(place, None)
        elif pod["spec"].get("nodeName") == NAME:
            self._pods[place] = pod
            self._waiting.append((time.monotonic() + START_SECONDS, *place))

    def fall_ill(self, namespace: str, pipeline: str, ill: str | None) -> None:
        """Every pod of this pipeline, from now on; None: they are well again."""
        if ill is None:
            self._ills.pop((namespace, pipeline), None)
        else:
            self._ills[namespace, pipeline] = ill
        for place in list(self._pods):
            if place[0] == namespace:
                self._waiting.append((time.monotonic(), *place))

    def _work(self) -> None:
        while not self._stop.is_set():
            if not self._waiting or self._waiting[0][0] > time.monotonic():
                time.sleep(0.02)
                continue
            _, namespace, name = self._waiting.popleft()
            pod = self._pods.get((namespace, name))
            if pod is not None:
                self._settle(pod)

    def _settle(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        ill = self._ills.get((namespace, (metadata.get("labels") or {}).get(PIPELINE_LABEL, "")))
        if ill == "hang":
            return
        if "deletionTimestamp" in metadata:
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            if not metadata.get("finalizers"):
                self._try("DELETE", POD.path(namespace, name), options)
            return
        status = pod.get("status") or {}
        if status.get("phase") in ("Failed", "Succeeded"):
            return
        wanted = _status(pod, ill)
        if (status.get("containerStatuses") or [{}])[0].get("state", {}).keys() != wanted[
            "containerStatuses"
        ][0]["state"].keys():
            self._try("PATCH", POD.path(namespace, name, "status"), {"status": wanted})

    def _beat(self) -> None:
        lease: Manifest = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME},
            "spec": {"holderIdentity": NAME, "leaseDurationSeconds": 40},
        }
        while True:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            beat = {**lease, "spec": {**lease["spec"], "renewTime": now}}
            if not self._try("PATCH", f"{LEASE_PATH}/{NAME}", {"spec": beat["spec"]}):
                self._try("POST", LEASE_PATH, beat)
            if self._stop.wait(HEARTBEAT_SECONDS):
                return

    def _try(self, method: str, path: str, body: Any) -> bool:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            self._kube.request(method, path, body, content)
        except (Refused, OSError, urllib3.exceptions.HTTPError):
            return False  # the next change of the pod says more
        return True


def _status(pod: Manifest, ill: str | None) -> dict[str, Any]:
    """Running and ready, or ill from the very start."""
    now = _now()
    container: dict[str, Any] = {
        "name": pod["spec"]["containers"][0]["name"],
        "image": "none",
        "imageID": "",
        "ready": ill is None,
        "started": ill is None,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }
    if ill == "crash":
        ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
        container |= {
            "restartCount": 5,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": ended},
        }
    elif ill == "pull":
        container["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    kinds = ("Initialized", "PodScheduled", "ContainersReady", "Ready")
    return {
        "phase": "Pending" if ill == "pull" else "Running",
        "startTime": now,
        "podIP": "10.1.2.3",
        "podIPs": [{"ip": "10.1.2.3"}],
        "containerStatuses": [container],
        "conditions": [_condition(kind, kind[-5:] != "Ready" or ill is None) for kind in kinds],
    }


def _condition(kind: str, true: bool = True) -> dict[str, str]:
    return {"type": kind, "status": str(true), "lastTransitionTime": _now(), "reason": "Told"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
