"""`headrace-operator`: wires the rooms together, leads when it may, and exits when it must."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from kubernetes.aio.config import ConfigException

from headrace.streams.groups import Leader
from headrace.worker.tasks import cancel, first_to_end
from headrace_operator import logs, metrics, settings
from headrace_operator.backlog.allowed_hosts import AllowedHosts
from headrace_operator.backlog.poller import BacklogPoller
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable, connect
from headrace_operator.kube.cache import Cache, Key
from headrace_operator.kube.kinds import NAMESPACE, STREAM_PIPELINE
from headrace_operator.kube.leader_election import LeaderElection, LeaseLost
from headrace_operator.kube.token_bucket import TokenBucket
from headrace_operator.kube.watch import Watches
from headrace_operator.plan import PlanSettings
from headrace_operator.reconcile.apply import Applier
from headrace_operator.reconcile.connect import Connector
from headrace_operator.reconcile.connections import AT_ONCE, Connections
from headrace_operator.reconcile.consumer_groups import ALONE, GroupOperations, Writer
from headrace_operator.reconcile.deletion import Deletion
from headrace_operator.reconcile.event_recorder import Events
from headrace_operator.reconcile.finalizer import Finalizer
from headrace_operator.reconcile.memory import Memories
from headrace_operator.reconcile.observe import Observer
from headrace_operator.reconcile.reconciler import Reconciler
from headrace_operator.reconcile.rollouts import Rollouts
from headrace_operator.reconcile.status_writer import StatusWriter
from headrace_operator.reconcile.victims import Victims
from headrace_operator.reconcile.work_queue import WorkQueue
from headrace_operator.settings import OperatorSettings
from headrace_operator.telemetry.condition_metrics import Conditions
from headrace_operator.telemetry.http import SecurePort, Server
from headrace_operator.telemetry.pipeline_metrics import Fleet
from headrace_operator.telemetry.server_metrics import Servers
from headrace_operator.telemetry.tls import ServerTLS

logger = logging.getLogger(__name__)


def main() -> None:
    """The console script. Exit status 0 after SIGTERM, 1 when the Lease or a task was lost, 2 when
    what was configured cannot be used."""
    chosen = settings.parse()
    logs.configure(chosen.log_level, chosen.log_format)
    if chosen.kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(chosen.kubeconfig)  # kopf reads the same file
    try:
        secure = _secure_port(chosen)
    except ValueError as error:
        logger.error("%s", error)
        sys.exit(2)
    try:
        uvloop.run(run(chosen, secure))
    except ConfigException as error:
        logger.error("%s", _no_cluster(chosen.kubeconfig, error))
        sys.exit(2)
    except LeaseLost as error:
        logger.error("%s; exiting, another replica leads", error)
        sys.exit(1)


def _no_cluster(kubeconfig: Path | None, error: Exception) -> str:
    """What to give, where nothing says which API server to use, or as whom."""
    if kubeconfig is not None:
        return f"cannot use the kubeconfig {kubeconfig}: {error}"
    return "this is no pod of a cluster: name a kubeconfig with --kubeconfig or KUBECONFIG"


class Operator:
    """Everything with a life time, from connection to queue."""

    def __init__(self, chosen: OperatorSettings, client: Any, stop: asyncio.Event) -> None:
        times = chosen.lease_times
        self.settings = chosen
        self.queue: WorkQueue[Key] = WorkQueue(on_wait=metrics.QUEUE_WAIT.observe)
        self.connections: WorkQueue[Key] = WorkQueue()
        self.cache = Cache()
        self.lease = LeaderElection(
            ApiServer(client, timeout=times.request_timeout),
            namespace=chosen.lease_namespace,
            name=chosen.lease_name,
            identity=chosen.identity,
            times=times,
        )
        self.api = ApiServer(
            client,
            writes=TokenBucket(chosen.api_writes_per_second, chosen.api_writes_per_second),
            guard=self.lease.check,
            timeout=times.request_timeout,
        )
        self.watches = Watches(
            ApiServer(client, timeout=30),
            self.cache,
            self.queue.put,
            namespaces=chosen.namespaces,
            resync_seconds=chosen.resync,
            on_started=lambda: _on_signals(stop),
            connection_changed=self.connections.put,
        )
        self.redis = RedisAccess(AllowedHosts(chosen.allowed_redis_hosts))
        self.poller = BacklogPoller(self.redis, self.queue.put)
        self.cluster = ""
        writer = Writer(
            check=self.lease.check,
            leader=self._leader,
            exists=self._pipeline_exists,
            cluster=lambda: self.cluster,
        )
        self.reconcile = reconciler(
            chosen,
            self.api,
            self.cache,
            self.redis,
            self.poller,
            wake=self.queue.put,
            writer=writer,
        )
        self.look_behind = Connections(self.api, self.cache, self.redis)
        self.synced = False
        self.fleet = Fleet(self.reconcile.memories, self.poller.reading)
        self.servers = Servers(self.poller.servers)
        self.conditions = Conditions(self.cache, lambda: self.lease.held)
        metrics.QUEUE_DEPTH.set_function(lambda: len(self.queue))
        metrics.PIPELINES.set_function(lambda: len(self.cache.pipelines()))
        metrics.LEADER.set_function(lambda: float(self.lease.held))

    async def lead(self) -> None:
        """Wait for the Lease, then reconcile every pipeline and whatever changes."""
        await self.lease.acquire()
        self.cluster = await self._cluster_uid()
        for key in self.cache.pipelines():
            self.queue.put(key)
        for key in self.cache.connections():
            self.connections.put(key)
        workers = [self.queue.work(self._reconcile) for _ in range(self.settings.reconcilers)]
        workers += [self.connections.work(self.look_behind) for _ in range(AT_ONCE)]
        try:
            await first_to_end(
                self.lease.hold(), self._close_unused_clients(), self._go_on(), *workers
            )
        finally:
            await self.lease.release()

    async def _reconcile(self, key: Key) -> float | None:
        """A pipeline in a namespace that cannot be watched rests until it can be again."""
        if self.watches.are_refused(key):
            self.poller.forget(key)
            return None
        return await self.reconcile(key)

    def why_not_ready(self) -> str | None:
        """None: the caches are warm and, as far as it was tried, the Lease can be taken."""
        if not self.synced:
            refusals = [f"{name}: {why}" for name, why in self.watches.refusals().items()]
            return "; ".join(["the caches are not filled yet", *refusals])
        return self.lease.refusal

    async def _go_on(self) -> None:
        """With staged updates, as their pauses end."""
        while True:
            await asyncio.sleep(1)
            self.reconcile.rollouts.go_on()

    def _leader(self) -> Leader | None:
        term = self.lease.term
        return None if term is None else Leader(*term)

    async def _cluster_uid(self) -> str:
        """The uid of kube-system names the cluster; "" where it may not be read."""
        try:
            found = await self.api.get(NAMESPACE, None, "kube-system")
        except (ApiError, ApiUnreachable) as error:
            logger.warning(
                "groups of pipelines that are gone are not taken over: %s; allow `get` on the"
                " namespace kube-system",
                error,
            )
            return ""
        return "" if found is None else str(found["metadata"]["uid"])

    async def _pipeline_exists(self, namespace: str, name: str, uid: str) -> bool:
        """Asked of the API server: a cache may not have it yet. What it refuses may well exist."""
        try:
            found = await self.api.get(STREAM_PIPELINE, namespace, name)
        except ApiError:
            return True
        return found is not None and found["metadata"]["uid"] == uid

    async def _close_unused_clients(self) -> None:
        """Of pipelines that are gone and of passwords that were replaced."""
        while True:
            await asyncio.sleep(self.settings.full_look)
            await self.redis.close_unused()


def reconciler(
    chosen: OperatorSettings,
    api: ApiServer,
    cache: Cache,
    redis: RedisAccess,
    poller: BacklogPoller,
    *,
    wake: Callable[[Key], None] = lambda _key: None,
    writer: Writer = ALONE,
) -> Reconciler:
    """One reconciler with an empty memory. `wake`: a pipeline whose turn has come."""
    clock = time.monotonic
    rollouts = Rollouts(
        max_concurrent=chosen.max_concurrent_rollouts,
        pause_seconds=chosen.rollout_pause,
        wake=wake,
        clock=clock,
    )
    groups = GroupOperations(redis, writer)
    finalizer = Finalizer(api, cache)
    return Reconciler(
        cache=cache,
        memories=Memories(clock),
        finalizer=finalizer,
        connector=Connector(api, cache, redis, poller, clock=clock, full_look=chosen.full_look),
        observer=Observer(api, cache, poller, clock=clock),
        applier=Applier(api, cache, groups, Victims(api, redis), rollouts),
        deletion=Deletion(
            api,
            finalizer,
            groups,
            redis,
            poller,
            cache=cache,
            patience=chosen.deletion_patience,
            clock=clock,
        ),
        status=StatusWriter(
            api, cache, TokenBucket(chosen.status_writes_per_second, burst=50), clock
        ),
        events=Events(api, chosen.identity, clock),
        poller=poller,
        redis=redis,
        rollouts=rollouts,
        settings=PlanSettings(chosen.worker_image, chosen.worker_defaults),
        full_look=chosen.full_look,
        clock=clock,
    )


async def run(chosen: OperatorSettings, secure: SecurePort | None = None) -> None:
    """Until SIGTERM; raises LeaseLost, or whatever ended a task that should not end."""
    client = await connect(chosen.kubeconfig)
    stop = asyncio.Event()
    _on_signals(stop)
    operator = Operator(chosen, client, stop)
    server = Server(
        chosen.http_host,
        chosen.http_port,
        live=lambda: None,  # answering at all is the proof: one loop does everything
        ready=operator.why_not_ready,
        more_metrics=lambda: (
            operator.fleet.text() + operator.conditions.text() + operator.servers.text()
        ),
        secure=secure,
    )
    await server.start()
    try:
        await first_to_end(_work(operator), stop.wait())
    finally:
        await operator.poller.aclose()
        await operator.redis.aclose()
        await server.stop()
        await client.close()  # type: ignore[no-untyped-call]
        # asyncio.run cancels what is left once, and waits for ever for a task that swallows it.
        await cancel(asyncio.all_tasks() - {asyncio.current_task()})


def _secure_port(chosen: OperatorSettings) -> SecurePort | None:
    if chosen.metrics_tls is None:
        return None
    tls = ServerTLS(chosen.metrics_tls, chosen.metrics_client_certificates)
    return SecurePort(chosen.metrics_port, tls.context())


async def _work(operator: Operator) -> None:
    async def lead() -> None:
        await operator.watches.first_answer()
        operator.synced = True
        await operator.lead()

    await first_to_end(lead(), operator.watches.run())


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
