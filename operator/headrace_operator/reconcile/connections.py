"""Looks behind each RedisConnection, and writes what it found into its status.

Nothing depends on it: pipelines that name a connection reach its Redis by themselves.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence

import redis.asyncio
from pydantic import ValidationError
from redis.exceptions import ResponseError

from headrace.streams import refusals
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.facts import facts_of
from headrace.streams.server_info import read_info
from headrace.streams.shards import shard_of
from headrace.streams.url import join_endpoint
from headrace_api.v1alpha1 import Reason, Redis, RedisConnection
from headrace_operator.backlog import redis_errors
from headrace_operator.backlog.allowed_hosts import NoAccess
from headrace_operator.backlog.redis_clients import RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer, ApiUnreachable
from headrace_operator.kube.cache import Cache, Key, split
from headrace_operator.kube.kinds import REDIS_CONNECTION, Manifest
from headrace_operator.plan import references
from headrace_operator.plan.connection_status import Found, status_of
from headrace_operator.plan.place import NoPlace
from headrace_operator.plan.problems import Problem, redis_refusal, redis_unreachable
from headrace_operator.reconcile.referenced_objects import access_of, fetch
from headrace_operator.reconcile.status_writer import merge_patch, patch_status
from headrace_operator.reconcile.url_place import place_in

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 5.0
# One that does not answer takes five seconds, and must not keep the others waiting.
AT_ONCE = 8


class Connections:
    """Called with the key of a RedisConnection; returns the seconds until the next look."""

    def __init__(self, api: ApiServer, cache: Cache, redis: RedisAccess) -> None:
        self._api = api
        self._cache = cache
        self._redis = redis
        self._told: dict[Key, str] = {}
        """What the log was told last; a status does not tell a closed port from a silent one."""

    async def __call__(self, key: Key) -> float | None:
        live = self._cache.get(REDIS_CONNECTION.kind, *split(key))
        if live is None:
            self._redis.forget(_client_key(key))
            self._told.pop(key, None)
            return None
        try:
            connection = RedisConnection.model_validate(live)
        except ValidationError:
            return None  # stored by another schema: only a change of it can help
        place = Redis.of(connection.spec, connection.spec.data_loss)
        found = await self._find(key, place, connection.metadata.namespace)
        wanted = status_of(
            live,
            found,
            pipelines=len(self._cache.users(key)),
            data_loss=connection.spec.data_loss,
            now=time.time(),
        )
        try:
            await self._write(live, wanted)
        except (ApiError, ApiUnreachable) as error:
            logger.warning("%s; looking again", error, extra={"connection": key})
            raise
        pause = LOOK_SECONDS if found.problem is None else LOOK_AGAIN_SECONDS
        return pause * random.uniform(0.8, 1.0)

    async def _find(self, key: Key, place: Redis, namespace: str) -> Found:
        wanted = references.connection_references(place)
        fetched = await fetch(self._api, namespace, *references.named_objects(wanted))
        try:
            place = place_in(place, fetched)
        except NoPlace as error:
            return Found(problem=Problem(error.reason, str(error), stalled=True))
        at = ", ".join(place.qualified_endpoints(namespace))
        for reason, words in references.problems(wanted, fetched.seen()):
            return Found(at, problem=Problem(reason, words))
        try:
            access = self._redis.permitted(access_of(place, namespace, fetched))
        except NoAccess as error:
            return Found(at, problem=Problem(Reason.REDIS_UNREACHABLE, str(error)))
        self._redis.remember(_client_key(key), access)
        try:
            clients = await self._redis.clients(access)
            found = await _ask(clients, access.endpoint)
        except REDIS_ERRORS as error:
            self._redis.doubt(access)
            self._log(key, f"Redis at {at} cannot be read: {refusals.describe(error)}")
            return Found(access.endpoint, problem=_problem(error, at))
        self._log(key, "")
        return found

    def _log(self, key: Key, words: str) -> None:
        if words and words != self._told.get(key):
            logger.warning("%s", words, extra={"connection": key})
        self._told[key] = words

    async def _write(self, live: Manifest, wanted: Manifest) -> None:
        patch = merge_patch(live.get("status") or {}, wanted)
        if patch:
            written = await patch_status(self._api, REDIS_CONNECTION, live, patch)
            self._cache.put(REDIS_CONNECTION, written)


async def _ask(clients: Sequence[redis.asyncio.Redis], endpoint: str) -> Found:
    """Raises redis errors."""
    infos = [await read_info(client) for client in clients]
    shards = [shard_of(_address(client), info) for client, info in zip(clients, infos, strict=True)]
    return Found(endpoint, tuple(map(facts_of, infos)), shards=tuple(shards))


def _address(client: redis.asyncio.Redis) -> str:
    place = client.connection_pool.connection_kwargs
    return join_endpoint(place["host"], place["port"])


def _problem(error: Exception, at: str) -> Problem:
    words = redis_errors.for_people(error)
    if isinstance(error, ResponseError) or redis_errors.is_refusal(error):
        return redis_refusal(f"Redis at {at} refuses", words)
    return redis_unreachable(at, words)


def _client_key(key: Key) -> str:
    """Beside the keys of pipelines, which have no blank."""
    return f"{REDIS_CONNECTION.kind} {key}"
