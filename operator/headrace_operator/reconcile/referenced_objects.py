"""The user's Secrets and ConfigMaps that a pipeline refers to: `get` by name, never list or watch.

Out come what a plan may know of them (identity and names of keys) and the access to Redis. Values
go into the access only, which does not show them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headrace.streams.connect import Mode, Target, Tls
from headrace.streams.credentials import StaticCredentials, credentials_of_url, without_newline
from headrace.streams.url import BadUrl, parse
from headrace_api import v1alpha1
from headrace_api.v1alpha1 import CredentialsSecretRef, Redis, RedisSecretRef
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.redis_clients import Access, ClientCertificate
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.kinds import CONFIG_MAP, SECRET, Kind, Manifest
from headrace_operator.plan.observation import References, SeenReference


@dataclass(frozen=True)
class Fetched:
    """Referenced objects by name; None: it does not exist. Never printed: it holds values.

    errors: why some could not be read, as where the right to is missing; they are in neither map.
    """

    secrets: Mapping[str, Manifest | None] = field(repr=False)
    config_maps: Mapping[str, Manifest | None] = field(repr=False)
    errors: tuple[ApiError | ApiUnreachable, ...] = ()

    def seen(self) -> References:
        """What a plan may know."""
        return References(
            secrets={name: _seen(item) for name, item in self.secrets.items()},
            config_maps={name: _seen(item) for name, item in self.config_maps.items()},
        )


async def fetch(
    api: ApiServer, namespace: str, secrets: Iterable[str], config_maps: Iterable[str]
) -> Fetched:
    """GET them all at once."""
    errors: list[ApiError | ApiUnreachable] = []

    async def get_all(kind: Kind, names: list[str]) -> dict[str, Manifest | None]:
        found: dict[str, Manifest | None] = {}

        async def get_one(name: str) -> None:
            try:
                found[name] = await api.get(kind, namespace, name)
            except (ApiError, ApiUnreachable) as error:
                errors.append(error)

        await asyncio.gather(*map(get_one, names))
        return found

    return Fetched(
        secrets=await get_all(SECRET, sorted(set(secrets))),
        config_maps=await get_all(CONFIG_MAP, sorted(set(config_maps))),
        errors=tuple(errors),
    )


def access_of(redis: Redis, namespace: str, fetched: Fetched) -> Access:
    """How the operator reaches a Redis that says where it is. Raises NoAccess."""
    sentinel = redis.sentinel
    return Access(
        target=Target(
            endpoints=redis.qualified_endpoints(namespace),
            mode=Mode(redis.mode),
            database=redis.database,
            sentinel_master=sentinel.master_name if sentinel else None,
            sentinel_credentials=_credentials(sentinel.credentials_secret_ref, fetched)
            if sentinel
            else None,
            tls=_tls(redis.tls, fetched) if redis.tls else None,
        ),
        credentials=_credentials(redis.credentials_secret_ref, fetched),
        certificate=_certificate(redis.tls, fetched) if redis.tls else None,
    )


def _credentials(
    reference: CredentialsSecretRef | None, fetched: Fetched
) -> StaticCredentials | None:
    if reference is None:
        return None
    secret = _existing("Secret", reference.name, fetched.secrets)
    if isinstance(reference, RedisSecretRef) and reference.url_key is not None:
        try:
            return credentials_of_url(parse(_value("Secret", secret, reference.url_key)))
        except BadUrl as error:
            raise NoAccess(f"Secret {reference.name}: {error}") from None
    username = (secret.get("data") or {}).get(reference.username_key)  # optional: the default user
    return StaticCredentials(
        _decoded(username, reference.name, reference.username_key) if username else None,
        _value("Secret", secret, reference.password_key),
    )


def _certificate(tls: v1alpha1.Tls, fetched: Fetched) -> ClientCertificate | None:
    reference = tls.client_certificate_secret_ref
    if reference is None:
        return None
    holder = _existing("Secret", reference.name, fetched.secrets)
    return ClientCertificate(
        _value("Secret", holder, "tls.crt"), _value("Secret", holder, "tls.key")
    )


def _tls(tls: v1alpha1.Tls, fetched: Fetched) -> Tls:
    ca = None
    if tls.ca_secret_ref:
        holder = _existing("Secret", tls.ca_secret_ref.name, fetched.secrets)
        ca = _certificates("Secret", holder, tls.ca_secret_ref.key)
    elif tls.ca_config_map_ref:
        holder = _existing("ConfigMap", tls.ca_config_map_ref.name, fetched.config_maps)
        ca = _certificates("ConfigMap", holder, tls.ca_config_map_ref.key)
    return Tls(ca_data=ca, server_name=tls.server_name)


def _certificates(kind: str, item: Manifest, key: str) -> str:
    """Without any, OpenSSL would trust the system's, which nobody asked for."""
    text = _value(kind, item, key)
    if not text.strip():
        raise NoAccess(f"{kind} {item['metadata']['name']}: key {key} holds no certificate")
    return text


def value_of(kind: str, name: str, key: str, found: Mapping[str, Manifest | None]) -> str:
    """One value of a Secret or ConfigMap. Raises NoAccess."""
    return _value(kind, _existing(kind, name, found), key)


def _existing(kind: str, name: str, found: Mapping[str, Manifest | None]) -> Manifest:
    if name not in found:
        raise NoAccess(f"{kind} {name} cannot be read")
    item = found[name]
    if item is None:
        raise NoAccess(f"{kind} {name} does not exist; create it in the pipeline's namespace")
    return item


def _value(kind: str, item: Manifest, key: str) -> str:
    name = item["metadata"]["name"]
    value = (item.get("data") or {}).get(key)
    if value is None:
        raise NoAccess(f"{kind} {name} has no key {key}; add it, or name another key in the spec")
    return _decoded(value, name, key) if kind == "Secret" else str(value)


def _decoded(value: str, name: str, key: str) -> str:
    try:
        return without_newline(base64.b64decode(value).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise NoAccess(f"Secret {name}: the value of key {key} is not UTF-8 text") from None


def _seen(item: Manifest | None) -> SeenReference | None:
    if item is None:
        return None
    data, binary = item.get("data") or {}, item.get("binaryData") or {}
    return SeenReference(
        _digest(item["metadata"]["uid"], data, binary), frozenset({*data, *binary})
    )


def _digest(uid: str, *data: Mapping[str, str]) -> str:
    """Keyed by the uid, which only they know who may read the object: the digest gets into a
    Deployment's annotation, and a short password could be found by trying.
    """
    text = json.dumps(data, sort_keys=True)
    return hmac.new(uid.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]
