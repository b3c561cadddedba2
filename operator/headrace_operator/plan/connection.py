"""The files and variables by which a pod finds Redis. Secrets are mounted, never copied.

Mounted without subPath: the kubelet swaps rotated files in place, and workers read them again
for each new connection, so a new password rolls no pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.streams.keys import PARKED
from headrace_api import mounts
from headrace_api.v1alpha1 import CredentialsSecretRef, RedisSecretRef, StreamPipeline
from headrace_api.worker_config import WorkerConfig


def volumes(pipeline: StreamPipeline) -> list[dict[str, Any]]:
    return [{"name": name, **source} for name, _, source in _mounted(pipeline)]


def volume_mounts(pipeline: StreamPipeline) -> list[dict[str, Any]]:
    return [
        {"name": name, "mountPath": path, "readOnly": True} for name, path, _ in _mounted(pipeline)
    ]


def custom_environment(config: WorkerConfig) -> list[dict[str, str]]:
    """The documented variables for runtime Custom, which reads no worker.json."""
    redis = config.redis
    values = {
        "STREAM": config.stream,
        "GROUP": config.consumer_group,
        "REDIS_ENDPOINTS": ",".join(redis.endpoints),
        "REDIS_MODE": str(redis.mode),
        "REDIS_DATABASE": str(redis.database),
        "REDIS_SENTINEL_MASTER": redis.sentinel_master,
        "REDIS_CREDENTIALS_DIR": redis.credentials_dir,
        "REDIS_SENTINEL_CREDENTIALS_DIR": redis.sentinel_credentials_dir,
        "RESERVED_CONSUMER": PARKED,
    }
    if redis.tls is not None:
        values |= {
            "REDIS_TLS": "true",
            "REDIS_TLS_CA_FILE": redis.tls.ca_file,
            "REDIS_TLS_CERT_FILE": redis.tls.cert_file,
            "REDIS_TLS_KEY_FILE": redis.tls.key_file,
            "REDIS_TLS_SERVER_NAME": redis.tls.server_name,
        }
    return [
        {"name": f"{mounts.ENV_PREFIX}{name}", "value": value}
        for name, value in values.items()
        if value is not None
    ]


def _mounted(pipeline: StreamPipeline) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(volume name, path, volume source) of everything the way to Redis needs."""
    redis = pipeline.spec.redis
    if redis.credentials_secret_ref is not None:
        source = _credentials(redis.credentials_secret_ref)
        yield f"{mounts.VOLUME_PREFIX}redis", mounts.CREDENTIALS_DIR, source
    if redis.sentinel is not None and redis.sentinel.credentials_secret_ref is not None:
        source = _credentials(redis.sentinel.credentials_secret_ref)
        yield f"{mounts.VOLUME_PREFIX}sentinel", mounts.SENTINEL_CREDENTIALS_DIR, source
    if (tls := redis.tls) is None:
        return
    ca_name = f"{mounts.VOLUME_PREFIX}tls-ca"
    if (ca := tls.ca_secret_ref) is not None:
        items = [{"key": ca.key, "path": "ca.crt"}]
        yield ca_name, mounts.TLS_CA_DIR, {"secret": {"secretName": ca.name, "items": items}}
    if (ca := tls.ca_config_map_ref) is not None:
        items = [{"key": ca.key, "path": "ca.crt"}]
        yield ca_name, mounts.TLS_CA_DIR, {"configMap": {"name": ca.name, "items": items}}
    if (client := tls.client_certificate_secret_ref) is not None:
        name = f"{mounts.VOLUME_PREFIX}tls-client"
        items = [{"key": key, "path": key} for key in ("tls.crt", "tls.key")]
        yield name, mounts.TLS_CLIENT_DIR, {"secret": {"secretName": client.name, "items": items}}


def _credentials(ref: CredentialsSecretRef) -> dict[str, Any]:
    """A projected volume: the user name may be absent from the Secret, nothing else may."""
    if isinstance(ref, RedisSecretRef) and ref.url_key is not None:
        url = {"name": ref.name, "items": [{"key": ref.url_key, "path": mounts.URL_FILE}]}
        return {"projected": {"sources": [{"secret": url}]}}
    password = {
        "name": ref.name,
        "items": [{"key": ref.password_key, "path": mounts.PASSWORD_FILE}],
    }
    username = {
        "name": ref.name,
        "items": [{"key": ref.username_key, "path": mounts.USERNAME_FILE}],
        "optional": True,
    }
    return {"projected": {"sources": [{"secret": password}, {"secret": username}]}}
