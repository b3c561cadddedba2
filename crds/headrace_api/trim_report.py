"""What a trim Job tells of its end: the JSON in its container's termination message.

The Job has no right to the API server. The kubelet brings the message to the pod's status, where
the operator finds it.
"""

from typing import Annotated

from pydantic import Field

from headrace_api.v1alpha1.scalars import integer
from headrace_api.v1alpha1.status import DestroyedEntries, Report

TERMINATION_LOG = "/dev/termination-log"
"""Where the kubelet reads it, unless a container says otherwise."""

_Count = Annotated[int, integer(0, 2**53, wide=True)]
_Name = Annotated[str, Field(max_length=1024)]


class TrimReport(Report):
    """Entries removed, and left. `freed_bytes`: by the server's own estimate, None where it may not
    be asked. `held_back_by`: the group that keeps entries beyond the limits, and which of its
    consumers holds the oldest of them. `destroyed`: what Force took, most first."""

    removed: _Count
    length: _Count
    freed_bytes: _Count | None = None
    held_back_by: _Name | None = None
    consumer: _Name | None = None
    destroyed: tuple[DestroyedEntries, ...] = ()

    def canonical_json(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)

    @property
    def destruction(self) -> str:
        """What Force took, in words for people; empty where it took nothing."""
        lost = [f"{one.group}: {one.summary}" for one in self.destroyed]
        return "policy Force destroyed entries of " + "; ".join(lost) if lost else ""
