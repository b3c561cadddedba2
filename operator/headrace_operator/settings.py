"""Everything that can be set on the operator: flags, each with an environment variable."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from headrace_operator.kube.leader_election import LeaseTimes
from headrace_operator.plan.worker_defaults import WorkerDefaults
from headrace_operator.worker_image import DEFAULT_WORKER_IMAGE

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """All durations are seconds."""

    worker_image: str = DEFAULT_WORKER_IMAGE
    worker_defaults: WorkerDefaults = field(default_factory=WorkerDefaults)
    namespaces: tuple[str, ...] = ()
    """Empty: all namespaces."""
    allowed_redis_hosts: tuple[str, ...] = ()
    """Empty: any. `*` stands for a part of a name."""
    kubeconfig: Path | None = None
    identity: str = "headrace-operator"
    lease_namespace: str = "default"
    lease_name: str = "headrace-operator"
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    http_host: str = ""
    """Empty: every address, of IPv6 and IPv4."""
    http_port: int = 8080
    reconcilers: int = 32
    resync: float = 300.0
    full_look: float = 60.0
    deletion_patience: float = 300.0
    max_concurrent_rollouts: int = 10
    rollout_pause: float = 10.0
    api_writes_per_second: float = 400.0
    status_writes_per_second: float = 10.0
    log_level: str = "INFO"
    log_format: str = "json"


def parser() -> argparse.ArgumentParser:
    """Every flag with its help; the environment gives some of the defaults."""
    parser = argparse.ArgumentParser(
        prog="headrace-operator", description="Runs StreamPipelines on this Kubernetes cluster."
    )
    defaults = OperatorSettings()
    environment = os.environ.get
    parser.add_argument(
        "--worker-image",
        default=environment("HEADRACE_WORKER_IMAGE", defaults.worker_image),
        help="image of workers that name none, and of reclaim and trim Jobs (default: %(default)s)",
    )
    parser.add_argument(
        "--worker-defaults",
        default=environment("HEADRACE_WORKER_DEFAULTS", ""),
        help="JSON object with what pods have that the operator starts, where a pipeline does not"
        " say otherwise: resources of the container, and imagePullSecrets, nodeSelector,"
        " tolerations, priorityClassName and runtimeClassName of the pod",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        default=None,
        help="watch only this namespace; may be repeated (default: all namespaces)",
    )
    parser.add_argument(
        "--allowed-redis-host",
        action="append",
        default=None,
        help="connect to this host only, as *.redis.svc; may be repeated (default: any host)."
        " Link-local addresses are never connected to",
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=environment("KUBECONFIG") or None,
        help="how to reach the API server from outside a cluster (default: the pod's own account)",
    )
    parser.add_argument(
        "--lease-namespace",
        default=environment("HEADRACE_NAMESPACE") or _own_namespace(),
        help="where the leader's Lease lives (default: the operator's namespace)",
    )
    parser.add_argument("--lease-name", default=defaults.lease_name, help="default: %(default)s")
    parser.add_argument(
        "--lease-duration",
        type=float,
        default=defaults.lease_times.lease_duration,
        help="seconds after which the other replica may take over (default: %(default)s)",
    )
    parser.add_argument(
        "--lease-renew-deadline",
        type=float,
        default=defaults.lease_times.renew_deadline,
        help="seconds after its last renewal in which a leader may write (default: %(default)s)",
    )
    parser.add_argument(
        "--lease-retry-period",
        type=float,
        default=defaults.lease_times.retry_period,
        help="seconds between renewals (default: %(default)s)",
    )
    parser.add_argument(
        "--http-host",
        default=defaults.http_host,
        help="address to listen on (default: every one, of IPv6 and IPv4)",
    )
    parser.add_argument(
        "--http-port",
        type=int,
        default=defaults.http_port,
        help="port of /metrics, /livez and /readyz (default: %(default)s)",
    )
    parser.add_argument(
        "--reconcilers",
        type=int,
        default=defaults.reconcilers,
        help="how many pipelines are reconciled at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--resync",
        type=float,
        default=defaults.resync,
        help="seconds between full lists (default: %(default)s)",
    )
    parser.add_argument(
        "--full-look",
        type=float,
        default=defaults.full_look,
        help="seconds after which every pipeline is looked at again, referenced Secrets and"
        " ConfigMaps included (default: %(default)s)",
    )
    parser.add_argument(
        "--deletion-patience",
        type=float,
        default=defaults.deletion_patience,
        help="seconds that a deletion waits for an unreachable Redis before the pipeline is let go"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--max-concurrent-rollouts",
        type=int,
        default=defaults.max_concurrent_rollouts,
        help="how many Deployments an upgrade of the operator, or of the default worker image,"
        " rolls at the same time; 0 holds such updates back (default: %(default)s)",
    )
    parser.add_argument(
        "--rollout-pause",
        type=float,
        default=defaults.rollout_pause,
        help="seconds from when one of these is ready until the next begins (default: %(default)s)",
    )
    parser.add_argument(
        "--api-writes-per-second",
        type=float,
        default=defaults.api_writes_per_second,
        help="limit of writes to the API server (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        default=environment("HEADRACE_LOG_LEVEL", defaults.log_level),
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        type=str.upper,
        help="default: %(default)s",
    )
    parser.add_argument(
        "--log-format",
        default=environment("HEADRACE_LOG_FORMAT", defaults.log_format),
        choices=("json", "plain"),
        help="default: %(default)s",
    )
    return parser


def parse(arguments: Sequence[str] | None = None) -> OperatorSettings:
    """Settings from the command line; the environment gives the defaults. Exits on a bad one."""
    flags = parser()
    given = flags.parse_args(arguments)
    environment = os.environ.get
    try:
        times = LeaseTimes(
            given.lease_duration, given.lease_renew_deadline, given.lease_retry_period
        )
        worker_defaults = WorkerDefaults.parse(given.worker_defaults)
    except ValueError as error:
        flags.error(str(error))
    name = environment("HEADRACE_POD") or socket.gethostname()
    return OperatorSettings(
        worker_image=given.worker_image,
        worker_defaults=worker_defaults,
        namespaces=tuple(given.namespace or ()),
        allowed_redis_hosts=tuple(given.allowed_redis_host or ()),
        kubeconfig=given.kubeconfig,
        # A restarted container keeps its pod's name, but must not inherit its Lease.
        identity=f"{name}_{uuid4().hex[:8]}",
        lease_namespace=given.lease_namespace,
        lease_name=given.lease_name,
        lease_times=times,
        http_host=given.http_host,
        http_port=given.http_port,
        reconcilers=given.reconcilers,
        resync=given.resync,
        full_look=given.full_look,
        deletion_patience=given.deletion_patience,
        max_concurrent_rollouts=given.max_concurrent_rollouts,
        rollout_pause=given.rollout_pause,
        api_writes_per_second=given.api_writes_per_second,
        log_level=given.log_level,
        log_format=given.log_format,
    )


def _own_namespace() -> str:
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
    except OSError:
        return "default"
