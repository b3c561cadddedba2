"""What the operator tells a worker, and a trim job, in files and environment. No secret is in it.

Only what the process reads: a change of scaling, trimming or schedules changes no byte of it, so
that it rolls no pod.
"""

import hashlib
import json
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from headrace_api import mounts
from headrace_api.v1alpha1 import (
    Delivery,
    Group,
    Output,
    RedisMode,
    Start,
    StreamPipeline,
    TrimPolicy,
)
from headrace_api.v1alpha1.redis import Tls

HASH_LENGTH = 10


class Configuration(BaseModel):
    """camelCase JSON, frozen; unknown fields are refused, as they would silently not act."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    def canonical_json(self) -> str:
        """The same text for the same configuration: sorted, compact, every default written out."""
        return json.dumps(
            self.model_dump(mode="json", by_alias=True),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )

    def content_hash(self) -> str:
        """Ten hexadecimal digits of the canonical JSON's SHA-256."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:HASH_LENGTH]


class TlsFiles(Configuration):
    """TLS by files in the pod; no `ca_file` means the system's CAs."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    @classmethod
    def mounted(cls, tls: Tls) -> "TlsFiles":
        """The files that a pod of this pipeline has."""
        has_ca = tls.ca_secret_ref is not None or tls.ca_config_map_ref is not None
        has_cert = tls.client_certificate_secret_ref is not None
        return cls(
            ca_file=mounts.TLS_CA_FILE if has_ca else None,
            cert_file=mounts.TLS_CERT_FILE if has_cert else None,
            key_file=mounts.TLS_KEY_FILE if has_cert else None,
            server_name=tls.server_name,
        )


def _host_and_port(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("an endpoint must be written host:port")
    return endpoint


Endpoint = Annotated[str, AfterValidator(_host_and_port)]


class RedisTarget(Configuration):
    """Where Redis is, as a pod reaches it; credentials are directories of files."""

    mode: RedisMode = RedisMode.STANDALONE
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    database: int = 0
    sentinel_master: str | None = None
    credentials_dir: str | None = None
    sentinel_credentials_dir: str | None = None
    tls: TlsFiles | None = None

    @classmethod
    def from_pipeline(cls, pipeline: StreamPipeline) -> "RedisTarget":
        """The target with the mounts of a pod of this pipeline."""
        redis = pipeline.spec.redis
        sentinel = redis.sentinel
        sentinel_secret = sentinel is not None and sentinel.credentials_secret_ref is not None
        return cls(
            mode=redis.mode,
            endpoints=pipeline.endpoints,
            database=redis.database,
            sentinel_master=sentinel.master_name if sentinel is not None else None,
            credentials_dir=mounts.CREDENTIALS_DIR if redis.credentials_secret_ref else None,
            sentinel_credentials_dir=mounts.SENTINEL_CREDENTIALS_DIR if sentinel_secret else None,
            tls=TlsFiles.mounted(redis.tls) if redis.tls is not None else None,
        )


class DeadLetterTarget(Configuration):
    """The stream of dead letters, resolved."""

    stream: str
    max_length: int


class Owner(Configuration):
    """Who claims the (stream, group) in Redis."""

    key: str
    """`<namespace>/<pipeline>`"""
    uid: str


class WorkerConfig(Configuration):
    """The file that HEADRACE_CONFIG names, for `headrace worker` and `headrace reclaim`."""

    namespace: str
    pipeline: str
    group: str
    consumer_group: str
    stream: str
    redis: RedisTarget
    start: Start = Start()
    dead_letter: DeadLetterTarget
    handler: str | None = None
    code_dir: str | None = None
    concurrency: int = 16
    batch_size: int = 100
    delivery: Delivery = Delivery()
    outputs: tuple[Output, ...] = ()
    reclaim_count: int = 50
    owner: Owner

    @classmethod
    def from_pipeline(cls, pipeline: StreamPipeline, group: Group) -> "WorkerConfig":
        """Every value resolved, for the pods of one group."""
        worker = group.worker
        return cls(
            namespace=pipeline.namespace,
            pipeline=pipeline.name,
            group=group.name,
            consumer_group=group.consumer_group_name,
            stream=pipeline.spec.stream.name,
            redis=RedisTarget.from_pipeline(pipeline),
            start=group.start,
            dead_letter=DeadLetterTarget(
                stream=pipeline.dead_letter_stream,
                max_length=pipeline.spec.dead_letter.max_length,
            ),
            handler=worker.handler,
            code_dir=mounts.CODE_DIR if worker.code_config_map_ref is not None else None,
            concurrency=worker.concurrency,
            batch_size=worker.batch_size,
            delivery=group.delivery,
            outputs=tuple(sorted(group.outputs, key=lambda output: output.stream)),
            reclaim_count=group.reclaim.count,
            owner=Owner(key=pipeline.key, uid=pipeline.metadata.uid),
        )


class TrimConfig(Configuration):
    """The JSON in HEADRACE_TRIM, for `headrace trim`."""

    redis: RedisTarget
    stream: str
    groups: tuple[str, ...]
    """Redis's names of the groups in the spec: one that is missing there forbids trimming."""
    policy: TrimPolicy = TrimPolicy.SAFE
    max_length: int | None = None
    max_age_seconds: float | None = None
    ignore_groups: tuple[str, ...] = ()

    @classmethod
    def from_pipeline(cls, pipeline: StreamPipeline) -> "TrimConfig | None":
        """None when the pipeline does not trim."""
        trim = pipeline.spec.stream.trim
        if trim is None:
            return None
        return cls(
            redis=RedisTarget.from_pipeline(pipeline),
            stream=pipeline.spec.stream.name,
            groups=tuple(group.consumer_group_name for group in pipeline.spec.groups),
            policy=trim.policy,
            max_length=trim.max_length,
            max_age_seconds=trim.max_age.total_seconds() if trim.max_age is not None else None,
            ignore_groups=trim.ignore_groups,
        )


def first_wrong(error: ValidationError) -> str:
    """ " at <path>: <what>" of the first thing that is wrong, without the value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(step) for step in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f" at {path}: {what}" if path else f": {what}"
