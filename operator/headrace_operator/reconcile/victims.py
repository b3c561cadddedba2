"""Marks the pods that a smaller Deployment removes first: those that hold least.

What a pod holds is asked of Redis now, not when the pipeline was observed: it changes with each
entry.
"""

from __future__ import annotations

import logging

from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.keys import StreamKeys
from headrace_operator.backlog.redis_clients import Access, RedisAccess
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.kinds import POD
from headrace_operator.plan import ScaleIn, victims
from headrace_operator.plan.observation import Observation
from headrace_operator.plan.pod_health import DELETION_COST

logger = logging.getLogger(__name__)


class Victims:
    def __init__(self, api: ApiServer, redis: RedisAccess) -> None:
        self._api = api
        self._redis = redis

    async def mark(
        self, scale_in: ScaleIn, observation: Observation, access: Access | None
    ) -> None:
        """A hint: without it any pod may go, and nothing is lost.

        Raises ApiError, ApiUnreachable.
        """
        holdings = await self._holdings(scale_in.consumer_group, observation, access)
        namespace = observation.pipeline.namespace
        for pod, cost in victims(scale_in, holdings).items():
            patch = {"metadata": {"annotations": {DELETION_COST: str(cost) if cost else None}}}
            try:
                await self._api.merge_patch(POD, namespace, pod, patch)
            except ApiError as error:
                if not error.is_missing:
                    raise

    async def _holdings(
        self, group: str, observation: Observation, access: Access | None
    ) -> dict[str, int]:
        """Consumer -> entries pending on it, replayed ones too; less than all where Redis fails."""
        found: dict[str, int] = {}
        if access is None or observation.redis_error is not None:
            return found
        keys = StreamKeys(observation.pipeline.spec.stream.name).for_group(group)
        try:
            client = await self._redis.client(access, keys.stream)
            for stream in (keys.stream, keys.replay):
                for consumer in await client.xinfo_consumers(stream, group):
                    name = _text(consumer["name"])
                    found[name] = found.get(name, 0) + int(consumer["pending"])
        except REDIS_ERRORS as error:
            logger.info("pods to remove are chosen without knowing what they hold: %s", error)
        return found


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
