"""kopf, cut down to watching: it writes nothing, discovers nothing and handles no signal."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import kopf

from headrace.worker.tasks import cancel, end_with_first
from headrace_operator.kube.kinds import Kind

See = Callable[[Kind, str, dict[str, Any]], None]
"""Told of each event: the kind, the type (DELETED, or any other) and the object."""


async def watch(
    kinds: Sequence[Kind],
    see: See,
    *,
    namespace: str | None,
    selector_of: Callable[[Kind], str | None],
    on_started: Callable[[], None],
) -> None:
    """Watch until cancelled; `namespace` None means all. Raises what ended a watch.

    `on_started` is called when kopf has put its own signal handlers in place of ours.
    """
    # kopf.operator() would do, but when one ends it cancels every younger task of the loop.
    tasks = await kopf.spawn_tasks(
        registry=_registry(kinds, see),
        settings=_settings(kinds, selector_of),
        standalone=True,
        # Unused, but kopf's own default asks for a user name, and a container's uid has none.
        identity="headrace-operator",  # type: ignore[arg-type]
        clusterwide=namespace is None,
        namespaces=() if namespace is None else (namespace,),
    )
    on_started()
    try:
        await end_with_first(tasks)
    finally:
        # Cancelled twice, kopf forgets its watchers: they would go on, and one that swallows its
        # last cancellation would keep the process from ending.
        await cancel(_watchers(namespace))


def _watchers(namespace: str | None) -> list[asyncio.Task[Any]]:
    """Of this namespace, by the names that kopf gives them."""
    return [
        task
        for task in asyncio.all_tasks()
        if task.get_name().startswith("watcher for ") and task.get_name().endswith(f"@{namespace}")
    ]


def _registry(kinds: Sequence[Kind], see: See) -> kopf.OperatorRegistry:
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(_login)
    for kind in kinds:
        kopf.on.event(*_resource(kind), registry=handlers, id=f"see-{kind.plural}")(
            _handler(kind, see)
        )
    return handlers


def _handler(kind: Kind, see: See) -> Callable[..., Any]:
    async def handle(event: Any, **_: Any) -> None:
        see(kind, event["type"], dict(event["object"]))

    return handle


def _settings(
    kinds: Sequence[Kind], selector_of: Callable[[Kind], str | None]
) -> kopf.OperatorSettings:
    """Watch with server-side selectors; write nothing, discover nothing."""
    result = kopf.OperatorSettings()
    for kind in kinds:
        selector = selector_of(kind)
        if selector is not None:
            result.watching.label_selectors[_resource(kind)] = selector
    result.watching.chunk_size = 500
    result.watching.connect_timeout = 30
    result.networking.request_timeout = 30
    result.persistence.diffbase_storage = _NoDiffBase()
    result.persistence.progress_storage = _NoProgress()
    result.posting.enabled = False
    result.process.ultimate_exiting_timeout = None
    result.scanning.disabled = True
    result.peering.standalone = True
    return result


def _resource(kind: Kind) -> tuple[str, str, str]:
    group, _, version = kind.api_version.rpartition("/")
    return group, version, kind.plural


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared with an earlier state; kopf's own would copy every object deeply."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is ever written to an object."""


class _NoProgress(kopf.ProgressStorage):
    """Handlers of events have no progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is ever written to an object."""

    purge = touch = store

    def clear(self, *, essence: Any) -> Any:
        return essence


class _Connection(kopf.ConnectionInfo):
    """kopf's, verifying certificates as Kubernetes' own clients do.

    From 3.13 on Python also refuses authorities without key usage or key identifiers, and many
    clusters have such a one.
    """

    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    found = kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)
    if found is None:
        return None
    return _Connection(**{one.name: getattr(found, one.name) for one in fields(found)})
