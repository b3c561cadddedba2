"""A lost group is made again by whoever finds it lost: the reader may have no room to read, and
nothing leaves a worker whose commits find no group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from headrace.worker.outage import REFUSALS, is_missing_group


class GroupGuard:
    """Shared by all parts that read, claim and commit. They `note` what a call raised, and call
    `restore` before the next one."""

    def __init__(self, ensure_groups: Callable[[], Awaitable[None]]) -> None:
        self._ensure_groups = ensure_groups
        self._in_doubt = False

    def note(self, error: BaseException) -> None:
        """From an error that means that the group is missing, or another's, it is in doubt."""
        if is_missing_group(error) or isinstance(error, REFUSALS):
            self._in_doubt = True

    async def restore(self) -> None:
        """Have the group, if it is in doubt. Raises OwnedByAnother, NotAStream, redis errors."""
        if self._in_doubt:
            await self._ensure_groups()
            self._in_doubt = False
