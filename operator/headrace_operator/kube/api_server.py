"""Calls to the Kubernetes API server: plain dicts in and out, one connection pool.

What this module adds to the client library: server-side apply, a token bucket for writes, waiting
when the server says Retry-After (429: the request was not carried out), and a guard that is asked
right before each write is sent (the Lease's deadline). It never repeats a request whose fate is
unknown: the next reconciliation looks and decides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from headrace_api import FIELD_MANAGER
from headrace_operator import metrics
from headrace_operator.kube.kinds import BY_KIND, Kind, Manifest
from headrace_operator.kube.token_bucket import TokenBucket

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MAX_TRIES = 4


class ApiError(Exception):
    """The API server refused. `message` is its own sentence; `status` the HTTP status."""

    def __init__(
        self, status: int, reason: str, message: str, what: str, causes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{what}: {status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.what = what
        self.terminating = "NamespaceTerminating" in causes
        """Nothing may be created any more: the namespace is being deleted."""

    @property
    def is_missing(self) -> bool:
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """What was observed has changed since, or is another object by now."""
        return self.status == 409

    @property
    def is_invalid(self) -> bool:
        """The schema, a policy or a test of a JSON patch is against it."""
        return self.status == 422

    def as_conflict(self) -> ApiError:
        """The same refusal, of a patch that holds tests: what was tested has changed since."""
        return ApiError(409, "Conflict", self.message, self.what)

    @property
    def is_forbidden(self) -> bool:
        return self.status == 403


class ApiUnreachable(Exception):
    """No answer: whether a write was carried out is unknown."""


async def connect(kubeconfig: Path | None) -> ApiClient:
    """A client from a kubeconfig file, or else from the pod's own ServiceAccount."""
    configuration = Configuration()
    if kubeconfig is not None:
        await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=configuration
        )
    else:
        kubernetes_config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    configuration.connection_pool_maxsize = 64
    configuration.disable_strict_ssl_verification = True  # see kopf_setup._Connection
    client = ApiClient(configuration)
    client.user_agent = "headrace-operator"
    return client


class ApiServer:
    """`guard` raises when this process must not write any more."""

    def __init__(
        self,
        client: ApiClient,
        *,
        writes: TokenBucket | None = None,
        guard: Callable[[], None] = lambda: None,
        timeout: float = 4.0,
    ) -> None:
        self._client = client
        self._writes = writes or TokenBucket(rate=400, burst=400)
        self._guard = guard
        self._timeout = timeout

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        """The live object, or None when there is none."""
        try:
            return await self._request("GET", kind.path(namespace, name), kind=kind)
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    async def list_all(
        self, kind: Kind, namespace: str | None, *, label_selector: str | None = None
    ) -> tuple[list[Manifest], str]:
        """All objects (in pages of 500) and the resourceVersion of the list."""
        items: list[Manifest] = []
        query = {"limit": "500"}
        if label_selector:
            query["labelSelector"] = label_selector
        while True:
            page = await self._request("GET", kind.path(namespace), query=query, kind=kind)
            for item in page.get("items", ()):
                items.append({"apiVersion": kind.api_version, "kind": kind.kind} | item)
            metadata = page.get("metadata", {})
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    async def create(
        self, kind: Kind, namespace: str, manifest: Manifest, *, dry_run: bool = False
    ) -> Manifest:
        query = {"dryRun": "All"} if dry_run else None
        return await self._write("POST", kind.path(namespace), manifest, kind=kind, query=query)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        """PUT with the resourceVersion in the manifest: refused with 409 if it is not current."""
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._write("PUT", path, manifest, kind=kind)

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply by force as field manager `headrace`.

        For an existing object the manifest carries metadata.uid and metadata.resourceVersion: the
        server answers 409 when the object is another one or has changed since it was observed.
        """
        kind, metadata = BY_KIND[manifest["kind"]], manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._write("PATCH", path, manifest, kind=kind, query=query, content=APPLY)

    async def apply_scale(
        self,
        namespace: str,
        name: str,
        replicas: int,
        *,
        uid: str,
        resource_version: str,
        manager: str,
    ) -> Manifest:
        """Write spec.replicas of a Deployment by force, so that `manager` owns it."""
        kind = BY_KIND["Deployment"]
        body = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": resource_version,
            },
            "spec": {"replicas": replicas},
        }
        path = kind.path(namespace, name, "scale")
        query = {"fieldManager": manager, "force": "true"}
        return await self._write("PATCH", path, body, kind=kind, query=query, content=APPLY)

    async def merge_patch(
        self, kind: Kind, namespace: str, name: str, patch: Manifest, *, sub: str | None = None
    ) -> Manifest:
        path = kind.path(namespace, name, sub)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._write("PATCH", path, patch, kind=kind, query=query, content=MERGE_PATCH)

    async def json_patch(
        self, kind: Kind, namespace: str, name: str, operations: list[Manifest]
    ) -> Manifest:
        path = kind.path(namespace, name)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._write(
            "PATCH", path, operations, kind=kind, query=query, content=JSON_PATCH
        )

    async def delete(self, kind: Kind, live: Manifest, *, propagation: str = "Background") -> None:
        """Delete this very object (by uid); already gone is fine.

        With a resourceVersion in `live`, only as it was seen: a later one raises ApiError (409).
        """
        metadata = live["metadata"]
        preconditions = {
            name: metadata[name] for name in ("uid", "resourceVersion") if name in metadata
        }
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        }
        path = kind.path(metadata["namespace"], metadata["name"])
        try:
            await self._write("DELETE", path, body, kind=kind)
        except ApiError as error:
            another = error.is_conflict and "resourceVersion" not in preconditions
            if not (error.is_missing or another):
                raise

    async def _write(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        kind: Kind,
        query: dict[str, str] | None = None,
        content: str = "application/json",
    ) -> Manifest:
        await self._writes.take()
        return await self._request(method, path, body, kind=kind, query=query, content=content)

    async def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: Kind,
        query: dict[str, str] | None = None,
        content: str = "application/json",
    ) -> Manifest:
        tries = 0
        while True:
            tries += 1
            arguments = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            if method != "GET":
                self._guard()
            try:
                response = await self._client.call_api(*arguments, _request_timeout=self._timeout)
                data = await response.read()  # type: ignore[no-untyped-call]
            except (OSError, TimeoutError) as error:  # aiohttp's ClientError included below
                raise self._unreachable(method, path, error) from error
            except Exception as error:
                if type(error).__module__.startswith("aiohttp"):
                    raise self._unreachable(method, path, error) from error
                raise
            metrics.API_REQUESTS.labels(method, kind.plural, str(response.status)).inc()
            if response.status < 300:
                return json.loads(data) if data else {}
            wait = _retry_after(response.status, response.headers.get("Retry-After"))
            if wait is None or tries >= MAX_TRIES:
                raise _refusal(response.status, data, f"{method} {path}")
            await asyncio.sleep(wait)

    @staticmethod
    def _unreachable(method: str, path: str, error: BaseException) -> ApiUnreachable:
        return ApiUnreachable(f"{method} {path}: no answer ({type(error).__name__}: {error})")


def _retry_after(status: int, header: str | None) -> float | None:
    """Seconds to wait before the same request may be sent again; None: do not repeat it."""
    if status != 429:
        return None
    try:
        return min(max(float(header or 1), 0.1), 10.0)
    except ValueError:
        return 1.0


def _refusal(status: int, data: bytes, what: str) -> ApiError:
    try:
        body = json.loads(data)
        causes = (body.get("details") or {}).get("causes") or ()
        return ApiError(
            status,
            str(body.get("reason", "")),
            str(body.get("message", "")),
            what,
            tuple(str(cause.get("reason")) for cause in causes),
        )
    except (ValueError, AttributeError):
        return ApiError(status, "", data[:500].decode(errors="replace"), what)
