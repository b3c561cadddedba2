"""Where a pipeline's Redis is, when its spec leaves that to others. Pure.

What comes out is the same pipeline with all of `spec.redis` filled in, so that what follows knows
one way only of saying where a Redis is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from headrace_api import CONNECTION_KIND
from headrace_api.rules import obey
from headrace_api.v1alpha1 import (
    Reason,
    Redis,
    RedisConnectionSpec,
    StreamPipeline,
    StreamPipelineSpec,
)


class NoPlace(Exception):
    """It is not known where the Redis is; the message says what to do, and shows no URL."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def named(pipeline: StreamPipeline, connection: Mapping[str, Any] | None) -> Redis:
    """`spec.redis`, or what the RedisConnection says that it names; `connection` is that object,
    None where there is none. Raises NoPlace."""
    redis = pipeline.spec.redis
    if redis.connection_ref is None:
        return redis
    what = f"{CONNECTION_KIND} {redis.connection_ref.name}"
    if connection is None:
        message = f"{what} (redis.connectionRef) does not exist: create it in {pipeline.namespace}"
        raise NoPlace(Reason.CONNECTION_NOT_FOUND, message)
    try:
        spec = RedisConnectionSpec.model_validate(connection.get("spec"))
    except ValidationError:
        raise NoPlace(Reason.CONNECTION_INVALID, f"{what} cannot be read: correct it") from None
    found = Redis.of(spec, redis.data_loss)
    try:
        obey(pipeline.spec.model_copy(update={"redis": found}), StreamPipelineSpec.rules)
    except PydanticCustomError as error:
        message = f"with {what}: {error.message()}"
        raise NoPlace(Reason.INVALID_SPEC, message) from None
    return found


def with_redis(
    pipeline: StreamPipeline, redis: Redis, earlier: StreamPipelineSpec | None = None
) -> StreamPipeline:
    """The pipeline with this for its `spec.redis`. `earlier`: its spec is taken where it is equal,
    as what was rendered is known by it."""
    if pipeline.spec.redis == redis:
        return pipeline
    spec = pipeline.spec.model_copy(update={"redis": redis})
    return pipeline.model_copy(update={"spec": earlier if earlier == spec else spec})
