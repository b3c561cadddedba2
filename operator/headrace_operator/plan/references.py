"""The user's Secrets and ConfigMaps that a pipeline names, and what a change of them means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headrace_api.v1alpha1 import Group, Reason, Redis, StreamPipeline
from headrace_operator.plan.observation import References, SeenReference

ANNOTATION = "headrace.dev/references"
KINDS = ("Secret", "ConfigMap")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One object the spec names. `keys` must exist in it; `field` says where it is named."""

    kind: str
    name: str
    field: str
    keys: tuple[str, ...] = ()
    optional: bool = False


def connection_references(redis: Redis) -> list[Reference]:
    """What the way to Redis needs. These files are re-read by the workers: no pod is rolled."""
    found = []
    if (auth := redis.credentials_secret_ref) is not None:
        keys = (auth.url_key or auth.password_key,)
        found.append(Reference("Secret", auth.name, "redis.credentialsSecretRef", keys))
    if redis.sentinel is not None and (ref := redis.sentinel.credentials_secret_ref) is not None:
        field = "redis.sentinel.credentialsSecretRef"
        found.append(Reference("Secret", ref.name, field, (ref.password_key,)))
    if (tls := redis.tls) is not None:
        if (ca := tls.ca_secret_ref) is not None:
            found.append(Reference("Secret", ca.name, "redis.tls.caSecretRef", (ca.key,)))
        if (ca := tls.ca_config_map_ref) is not None:
            found.append(Reference("ConfigMap", ca.name, "redis.tls.caConfigMapRef", (ca.key,)))
        if (client := tls.client_certificate_secret_ref) is not None:
            field = "redis.tls.clientCertificateSecretRef"
            found.append(Reference("Secret", client.name, field, ("tls.crt", "tls.key")))
    return found


def group_references(group: Group) -> list[Reference]:
    """What a worker reads once, at its start: handler code and environment."""
    worker = group.worker
    at = f"groups[{group.name}].worker"
    found = []
    if (code := worker.code_config_map_ref) is not None:
        found.append(Reference("ConfigMap", code.name, f"{at}.codeConfigMapRef"))
    for variable in worker.env or ():
        source = variable.value_from
        if source is None:
            continue
        for kind, ref in (
            ("Secret", source.secret_key_ref),
            ("ConfigMap", source.config_map_key_ref),
        ):
            if ref is not None:
                field = f"{at}.env[{variable.name}]"
                found.append(Reference(kind, ref.name, field, (ref.key,), bool(ref.optional)))
    for many in worker.env_from or ():
        for kind, whole in (("Secret", many.secret_ref), ("ConfigMap", many.config_map_ref)):
            if whole is not None:
                field = f"{at}.envFrom"
                found.append(Reference(kind, whole.name, field, (), bool(whole.optional)))
    return found


def references_of(pipeline: StreamPipeline) -> list[Reference]:
    """All of them; where Redis is plays no part."""
    of_groups = (ref for group in pipeline.spec.groups for ref in group_references(group))
    return [*connection_references(pipeline.spec.redis), *of_groups]


def named_objects(references: Sequence[Reference]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of all Secrets and of all ConfigMaps among them."""
    names = {kind: frozenset(r.name for r in references if r.kind == kind) for kind in KINDS}
    return names["Secret"], names["ConfigMap"]


def content_hash(wanted: Iterable[Reference], fetched: References) -> str | None:
    """Changes when the data of a referenced object does; None while one of them is missing."""
    parts = []
    for kind, name in sorted({(r.kind, r.name) for r in wanted if not r.optional}):
        known = _look_up(kind, name, fetched)
        if known is None:
            return None
        parts.append(f"{kind}/{name}/{known.digest}")
    for kind, name in sorted({(r.kind, r.name) for r in wanted if r.optional}):
        known = _look_up(kind, name, fetched)
        parts.append(f"{kind}/{name}/{'absent' if known is None else known.digest}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def problems(wanted: Iterable[Reference], fetched: References) -> Iterator[tuple[Reason, str]]:
    """A reason and a sentence for each object or key that the spec names and nobody made."""
    for ref in wanted:
        objects = fetched.secrets if ref.kind == "Secret" else fetched.config_maps
        if ref.optional or ref.name not in objects:
            continue
        known = objects[ref.name]
        if known is None:
            secret = ref.kind == "Secret"
            reason = Reason.SECRET_NOT_FOUND if secret else Reason.CONFIG_MAP_NOT_FOUND
            yield reason, f"{ref.kind} {ref.name} ({ref.field}) does not exist: create it"
            continue
        missing = [key for key in ref.keys if key not in known.keys]
        if missing:
            keys = " and ".join(missing)
            words = f"{ref.kind} {ref.name} ({ref.field}) has no key {keys}: add it"
            yield Reason.KEY_NOT_FOUND, words


def _look_up(kind: str, name: str, fetched: References) -> SeenReference | None:
    return (fetched.secrets if kind == "Secret" else fetched.config_maps).get(name)
