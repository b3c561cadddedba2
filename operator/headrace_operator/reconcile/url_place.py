"""Where a Redis is, when a URL in a Secret says it. Pure."""

from __future__ import annotations

from headrace.streams.url import BadUrl, parse
from headrace_api.v1alpha1 import Reason, Redis
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.plan import references
from headrace_operator.plan.place import NoPlace
from headrace_operator.reconcile.failures import failure_of
from headrace_operator.reconcile.referenced_objects import Fetched, value_of


def place_in(redis: Redis, fetched: Fetched) -> Redis:
    """`redis`, with what a URL in its Secret says filled in. Raises NoPlace."""
    ref = redis.credentials_secret_ref
    if ref is None or ref.url_key is None:
        return redis
    for error in fetched.errors if ref.name not in fetched.secrets else ():
        failure = failure_of(error)
        reason = Reason.FORBIDDEN if failure.forbidden else Reason.API_SERVER_FAILED
        raise NoPlace(reason, failure.message)
    of_url = [one for one in references.connection_references(redis) if ref.url_key in one.keys]
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
