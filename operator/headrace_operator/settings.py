"""Everything that can be set on the operator: one table, of which the flags are made."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

from headrace_operator.kube.leader_election import LeaseTimes
from headrace_operator.plan.worker_defaults import WorkerDefaults
from headrace_operator.worker_image import DEFAULT_WORKER_IMAGE

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LEASE = LeaseTimes()


@dataclass(frozen=True)
class _Flag:
    """`name`: where it is not the field's. `variable`: of the environment, read where the flag is
    not given. `fallback`: the flag's default without either, of the field's default.
    `read`: makes the setting of what was given; raises ValueError with a sentence for people.
    `argument`: what argparse takes besides."""

    help: str
    name: str | None
    variable: str | None
    fallback: Callable[[Any], Any]
    read: Callable[[Any], Any]
    argument: dict[str, Any]

    def default(self, of_field: Any) -> Any:
        given = os.environ.get(self.variable) if self.variable is not None else None
        return given or self.fallback(of_field)

    @property
    def whole_help(self) -> str:
        return self.help if self.variable is None else f"{self.help} [env var: {self.variable}]"


def _as_it_is(value: Any) -> Any:
    return value


def _flag(
    help: str,
    *,
    name: str | None = None,
    variable: str | None = None,
    fallback: Callable[[Any], Any] = _as_it_is,
    read: Callable[[Any], Any] = _as_it_is,
    **argument: Any,
) -> dict[str, _Flag]:
    """The metadata of a setting that has a flag. Numbers have the type of their default."""
    return {"flag": _Flag(help, name, variable, fallback, read, argument)}


def _own_namespace(default: str) -> str:
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
    except OSError:
        return default


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """All durations are seconds."""

    worker_image: str = field(
        default=DEFAULT_WORKER_IMAGE,
        metadata=_flag(
            "image of workers that name none, and of reclaim and trim Jobs (default: %(default)s)",
            variable="HEADRACE_WORKER_IMAGE",
        ),
    )
    worker_defaults: WorkerDefaults = field(
        default=WorkerDefaults(),
        metadata=_flag(
            "JSON object with what pods have that the operator starts, where a pipeline does not"
            " say otherwise: resources and imagePullPolicy of the container; imagePullSecrets,"
            " nodeSelector, tolerations, priorityClassName and runtimeClassName of the pod;"
            " podLabels and podAnnotations. inheritedLabels and inheritedAnnotations list keys that"
            " all children take from their pipeline",
            variable="HEADRACE_WORKER_DEFAULTS",
            fallback=lambda _: "",
            read=WorkerDefaults.parse,
        ),
    )
    namespaces: tuple[str, ...] = field(
        default=(),
        metadata=_flag(
            "watch only this namespace; may be repeated (default: all namespaces)",
            name="namespace",
            action="append",
            fallback=lambda _: None,
            read=lambda given: tuple(given or ()),
        ),
    )
    allowed_redis_hosts: tuple[str, ...] = field(
        default=(),
        metadata=_flag(
            "connect to this host only, as *.redis.svc; may be repeated (default: any host)."
            " Link-local addresses are never connected to",
            name="allowed_redis_host",
            action="append",
            fallback=lambda _: None,
            read=lambda given: tuple(given or ()),
        ),
    )
    kubeconfig: Path | None = field(
        default=None,
        metadata=_flag(
            "how to reach the API server from outside a cluster (default: the pod's own account)",
            type=Path,
            variable="KUBECONFIG",
        ),
    )
    lease_namespace: str = field(
        default="default",
        metadata=_flag(
            "where the leader's Lease lives (default: the operator's namespace)",
            variable="HEADRACE_NAMESPACE",
            fallback=_own_namespace,
        ),
    )
    lease_name: str = field(default="headrace-operator", metadata=_flag("default: %(default)s"))
    lease_duration: float = field(
        default=_LEASE.lease_duration,
        metadata=_flag(
            "seconds after which the other replica may take over (default: %(default)s)",
        ),
    )
    lease_renew_deadline: float = field(
        default=_LEASE.renew_deadline,
        metadata=_flag(
            "seconds after its last renewal in which a leader may write (default: %(default)s)",
        ),
    )
    lease_retry_period: float = field(
        default=_LEASE.retry_period,
        metadata=_flag("seconds between renewals (default: %(default)s)"),
    )
    http_host: str = field(
        default="", metadata=_flag("address to listen on (default: every one, of IPv6 and IPv4)")
    )
    http_port: int = field(
        default=8080, metadata=_flag("port of /metrics, /livez and /readyz (default: %(default)s)")
    )
    metrics_tls: Path | None = field(
        default=None,
        metadata=_flag(
            "directory with tls.crt and tls.key, read again when they change: /metrics is then"
            " served with TLS on --metrics-port, and not on --http-port",
            type=Path,
        ),
    )
    metrics_port: int = field(
        default=8443, metadata=_flag("port of /metrics with TLS (default: %(default)s)")
    )
    metrics_client_certificates: bool = field(
        default=False,
        metadata=_flag(
            "answer /metrics only to those who show a certificate that ca.crt of that directory"
            " has signed",
            action="store_true",
        ),
    )
    reconcilers: int = field(
        default=32,
        metadata=_flag("how many pipelines are reconciled at the same time (default: %(default)s)"),
    )
    resync: float = field(
        default=300.0, metadata=_flag("seconds between full lists (default: %(default)s)")
    )
    full_look: float = field(
        default=60.0,
        metadata=_flag(
            "seconds after which every pipeline is looked at again, referenced Secrets and"
            " ConfigMaps included (default: %(default)s)",
        ),
    )
    deletion_patience: float = field(
        default=300.0,
        metadata=_flag(
            "seconds that a deletion waits for an unreachable Redis before the pipeline is let go"
            " (default: %(default)s)",
        ),
    )
    max_concurrent_rollouts: int = field(
        default=10,
        metadata=_flag(
            "how many Deployments an upgrade of the operator, or of the default worker image,"
            " rolls at the same time; 0 holds such updates back (default: %(default)s)",
        ),
    )
    rollout_pause: float = field(
        default=10.0,
        metadata=_flag(
            "seconds from when one of these is ready until the next begins (default: %(default)s)"
        ),
    )
    api_writes_per_second: float = field(
        default=400.0, metadata=_flag("limit of writes to the API server (default: %(default)s)")
    )
    log_level: str = field(
        default="INFO",
        metadata=_flag(
            "default: %(default)s",
            variable="HEADRACE_LOG_LEVEL",
            choices=("DEBUG", "INFO", "WARNING", "ERROR"),
            type=str.upper,
        ),
    )
    log_format: str = field(
        default="json",
        metadata=_flag(
            "default: %(default)s",
            variable="HEADRACE_LOG_FORMAT",
            choices=("json", "plain"),
        ),
    )
    identity: str = "headrace-operator"
    status_writes_per_second: float = 10.0

    @property
    def lease_times(self) -> LeaseTimes:
        """Raises ValueError where they do not fit together."""
        return LeaseTimes(self.lease_duration, self.lease_renew_deadline, self.lease_retry_period)


def parser() -> argparse.ArgumentParser:
    """Every flag with its help; the environment gives some of the defaults."""
    parser = argparse.ArgumentParser(
        prog="headrace-operator", description="Runs StreamPipelines on this Kubernetes cluster."
    )
    for setting, flag in _flags():
        argument = dict(flag.argument)
        if type(setting.default) in (int, float):
            argument["type"] = type(setting.default)
        parser.add_argument(
            f"--{(flag.name or setting.name).replace('_', '-')}",
            default=flag.default(setting.default),
            help=flag.whole_help,
            **argument,
        )
    return parser


def parse(arguments: Sequence[str] | None = None) -> OperatorSettings:
    """Settings from the command line; the environment gives the defaults. Exits on a bad one."""
    flags = parser()
    given = vars(flags.parse_args(arguments))
    # A restarted container keeps its pod's name, but must not inherit its Lease.
    pod = os.environ.get("HEADRACE_POD") or socket.gethostname()
    try:
        chosen = {one.name: flag.read(given[flag.name or one.name]) for one, flag in _flags()}
        settings = OperatorSettings(**chosen, identity=f"{pod}_{uuid4().hex[:8]}")
        _ = settings.lease_times
    except ValueError as error:
        flags.error(str(error))
    return settings


def _flags() -> Iterator[tuple[Field[Any], _Flag]]:
    for one in fields(OperatorSettings):
        if "flag" in one.metadata:
            yield one, one.metadata["flag"]
