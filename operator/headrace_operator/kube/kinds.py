"""The kinds of objects that the operator touches, and where each lives on the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace_api import CONNECTION_KIND, CONNECTION_PLURAL, GROUP, KIND, PLURAL, VERSION

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, sub: str | None = None) -> str:
        """The URL path; `namespace` None means all namespaces (for a list)."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        parts = [root + self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, sub) if part is not None]
        return "/".join(parts)


STREAM_PIPELINE = Kind(f"{GROUP}/{VERSION}", KIND, PLURAL)
REDIS_CONNECTION = Kind(f"{GROUP}/{VERSION}", CONNECTION_KIND, CONNECTION_PLURAL)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
JOB = Kind("batch/v1", "Job", "jobs")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
POD = Kind("v1", "Pod", "pods")
NAMESPACE = Kind("v1", "Namespace", "namespaces")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Kind("events.k8s.io/v1", "Event", "events")

# What a StreamPipeline owns. The order is the order of application: a Deployment may be applied
# only when its ConfigMap and ServiceAccount are there.
CHILDREN = (SERVICE_ACCOUNT, CONFIG_MAP, DEPLOYMENT, CRON_JOB)

BY_KIND = {
    kind.kind: kind
    for kind in (
        STREAM_PIPELINE,
        REDIS_CONNECTION,
        DEPLOYMENT,
        REPLICA_SET,
        CRON_JOB,
        JOB,
        CONFIG_MAP,
        SECRET,
        SERVICE_ACCOUNT,
        POD,
        NAMESPACE,
        LEASE,
        EVENT,
    )
}
