"""What a person with kubectl can do, for tests: plain dicts over the synchronous client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import urllib3
from kubernetes import client, config

from headrace_operator.kube.kinds import (
    BY_KIND,
    CRON_JOB,
    DEPLOYMENT,
    NAMESPACE,
    STREAM_PIPELINE,
    Kind,
)

T = TypeVar("T")
Manifest = dict[str, Any]


class Refused(AssertionError):
    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class Kube:
    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        configuration = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        configuration.disable_strict_ssl_verification = True  # as kubectl; from Python 3.13 on
        self._client = client.ApiClient(configuration)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        try:
            return self.request("GET", kind.path(namespace, name))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None, selector: str = "") -> list[Manifest]:
        query = [("labelSelector", selector)] if selector else []
        items: list[Manifest] = self.request("GET", kind.path(namespace), query=query)["items"]
        return items

    def replicas(self, namespace: str, deployment: str) -> int | None:
        """What a Deployment asks for; None when there is none."""
        live = self.get(DEPLOYMENT, namespace, deployment)
        return None if live is None else int(live["spec"]["replicas"])

    def create(self, manifest: Manifest) -> Manifest:
        kind = BY_KIND[manifest["kind"]]
        return self.request("POST", kind.path(manifest["metadata"].get("namespace")), manifest)

    def apply(self, manifest: Manifest, manager: str = "a-person") -> Manifest:
        metadata = manifest["metadata"]
        path = BY_KIND[manifest["kind"]].path(metadata.get("namespace"), metadata["name"])
        query = [("fieldManager", manager), ("force", "true")]
        return self.request("PATCH", path, manifest, "application/apply-patch+yaml", query)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Manifest,
        *,
        sub: str | None = None,
        manager: str = "a-person",
    ) -> Manifest:
        query = [("fieldManager", manager)]
        path = kind.path(namespace, name, sub)
        return self.request("PATCH", path, patch, "application/merge-patch+json", query)

    def delete(self, kind: Kind, namespace: str | None, name: str) -> None:
        body = {"propagationPolicy": "Background"}
        self.request("DELETE", kind.path(namespace, name), body)

    def make_namespace(self, prefix: str = "t") -> str:
        name = f"{prefix}-{uuid4().hex[:8]}"
        self.create({"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": {"name": name}})
        return name

    def delete_namespace(self, name: str) -> None:
        self.delete(NAMESPACE, None, name)

    def watch(
        self, kind: Kind, namespace: str | None, since: str, *, quiet: float
    ) -> Iterator[tuple[str, Manifest]]:
        """(type, object) of each change after ``since``, until none comes for ``quiet`` seconds."""
        arguments = self._client.param_serialize(
            "GET",
            kind.path(namespace),
            query_params=[("watch", "1"), ("resourceVersion", since)],
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*arguments, _request_timeout=(5, quiet)).response
        try:
            for line in response:
                event = json.loads(line)
                yield event["type"], event["object"]
        except TimeoutError:
            return
        except urllib3.exceptions.ReadTimeoutError:
            return
        finally:
            response.close()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        query: Sequence[tuple[str, str]] = (),
    ) -> Any:
        arguments = self._client.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        data = self._answer(arguments)
        return json.loads(data) if data else {}

    def text(self, path: str) -> str:
        """What the API server answers outside its resources, such as /metrics."""
        arguments = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
        return self._answer(arguments).decode()

    def _answer(self, arguments: Any) -> bytes:
        response = self._client.call_api(*arguments, _request_timeout=30)
        data: bytes = response.read()
        if response.status >= 300:
            raise Refused(response.status, data.decode())
        return data


def condition(pipeline: Manifest | None, kind: str) -> Manifest | None:
    conditions = ((pipeline or {}).get("status") or {}).get("conditions", ())
    return next((found for found in conditions if found["type"] == kind), None)


def versions(kube: Kube, namespace: str) -> dict[str, str]:
    """resourceVersion of everything that the operator could have written."""
    kinds = (STREAM_PIPELINE, *(BY_KIND[k] for k in ("Deployment", "ConfigMap", "ServiceAccount")))
    return {
        f"{kind.kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in (*kinds, CRON_JOB)
        for item in kube.list(kind, namespace)
    }
