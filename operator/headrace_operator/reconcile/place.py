"""Where a pipeline's Redis is, when its spec leaves that to a URL in a Secret. Pure.

What comes out is the same pipeline with `endpoints`, `database` and `tls` filled in, so that all
that follows knows one way only of saying where a Redis is.
"""

from __future__ import annotations

from headrace.streams.url import BadUrl, parse
from headrace_api.v1alpha1 import Reason, Redis, StreamPipeline, StreamPipelineSpec
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.plan import references
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.referenced_objects import Fetched, value_of


class NoPlace(NoAccess):
    """It is not known where the Redis is; the message says what to do, and shows no URL."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def place_in(pipeline: StreamPipeline, fetched: Fetched) -> Redis:
    """`spec.redis`, with what a URL in its Secret says filled in. Raises NoPlace."""
    redis = pipeline.spec.redis
    ref = redis.credentials_secret_ref
    if ref is None or ref.url_key is None:
        return redis
    for error in fetched.errors if ref.name not in fetched.secrets else ():
        failure = failure_of(error)
        reason = Reason.FORBIDDEN if failure.forbidden else Reason.API_SERVER_FAILED
        raise NoPlace(reason, failure.message)
    of_url = [one for one in references.connection_references(pipeline) if ref.url_key in one.keys]
    for reason, words in references.problems(of_url, fetched.seen()):
        raise NoPlace(reason, words)
    where = f"Secret {ref.name}, key {ref.url_key}"
    try:
        url = parse(value_of("Secret", ref.name, ref.url_key, fetched.secrets))
    except BadUrl as error:
        raise NoPlace(Reason.REDIS_URL_INVALID, f"{where}: {error}") from None
    except NoAccess as error:
        raise NoPlace(Reason.REDIS_URL_INVALID, str(error)) from None
    if url.tls_files:
        message = f"{where}: the Redis URL names files, which pods do not have; use redis.tls"
        raise NoPlace(Reason.REDIS_URL_INVALID, message)
    try:
        return redis.at(url.endpoint, url.database, tls=url.tls_files is not None)
    except ValueError as error:
        message = f"{where}: the Redis URL cannot be used: {error}"
        raise NoPlace(Reason.REDIS_URL_INVALID, message) from None


def with_redis(
    pipeline: StreamPipeline, redis: Redis, earlier: StreamPipelineSpec | None = None
) -> StreamPipeline:
    """The pipeline with this for its `spec.redis`. `earlier`: its spec is taken where it is equal,
    as what was rendered is known by it."""
    if pipeline.spec.redis == redis:
        return pipeline
    spec = pipeline.spec.model_copy(update={"redis": redis})
    return pipeline.model_copy(update={"spec": earlier if earlier == spec else spec})
