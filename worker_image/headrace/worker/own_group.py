"""The worker's own group: made where it is missing, and made again where it was lost."""

from __future__ import annotations

import logging

from redis.asyncio import Redis

from headrace.streams.groups import ensure_groups
from headrace.worker.config import WorkerSettings

logger = logging.getLogger("headrace.worker")

BEGINNING = "0-0"


class OwnGroup:
    def __init__(self, control: Redis, settings: WorkerSettings) -> None:
        self._control = control
        self._settings = settings
        self._checkpoint: str | None = None
        """The group's, as last seen: a FLUSHALL takes Redis's own along."""

    async def ensure(self, *, claim: bool = True) -> None:
        """Create what is missing of the group, and set it back if it stands ahead of its stream.

        `claim` it for this pipeline, too. Raises OwnedByAnother, NotAStream, redis errors.
        """
        settings = self._settings
        start = settings.config.start.redis_id
        state = await ensure_groups(
            self._control,
            settings.keys,
            start,
            owner=settings.owner if claim else None,
            # What starts at the beginning finds all there is without our memory.
            checkpoint=None if start == BEGINNING else self._checkpoint,
        )
        self._checkpoint = state.checkpoint
        if state.stood_ahead_at is not None:
            logger.warning(
                "the group stood at %s, ahead of its stream, and was set back to %s:"
                " entries may come twice",
                state.stood_ahead_at,
                state.last_delivered_id,
            )
        elif state.recreated:
            logger.warning(
                "the group was lost and restarts at %s: entries may come twice",
                state.last_delivered_id,
            )
        if state.ahead_of_stream:
            logger.error(
                "the group stands at %s, ahead of its stream: it reads nothing until then",
                state.last_delivered_id,
            )
