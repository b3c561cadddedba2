"""How often and how fast an entry is tried before it becomes a dead letter."""

import math
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from headrace_api.duration import PATTERN, Between
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.scalars import integer


class UnknownType(StrEnum):
    """What to do with an event that no handler is registered for."""

    DEAD_LETTER = "DeadLetter"
    SKIP = "Skip"


def _duration_or(path: str, default: str) -> str:
    return (
        f"(has({path}) && {path}.matches('{PATTERN}') ? duration({path}) : duration('{default}'))"
    )


class Backoff(Shape):
    """The pause before the next try: doubled each time, between initial and max, with jitter."""

    initial: Annotated[timedelta, Between("1ms", "24h")] = Field(
        timedelta(seconds=1), description="Pause after the first failure."
    )
    max: Annotated[timedelta, Between("1ms", "24h")] = Field(
        timedelta(seconds=60), description="Longest pause."
    )

    rules = (
        Rule(
            f"{_duration_or('self.initial', '1s')} <= {_duration_or('self.max', '60s')}",
            "backoff.initial must not exceed backoff.max (60s where it is not given)",
            lambda b: b.initial <= b.max,
        ),
    )


class Deduplicate(Shape):
    """Handles an event once although its producer sent it twice. Present means on."""

    window: Annotated[timedelta, Between("1s", "8760h")] = Field(
        timedelta(hours=24), description="How long a handled event is remembered."
    )
    field: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        "id", description="Field of the entry that is equal in both."
    )


class Delivery(Shape):
    """Time-outs, retries and what becomes of entries that fail."""

    handler_timeout: Annotated[timedelta, Between("1ms", "24h")] = Field(
        timedelta(seconds=30), description="Longest run of a handler for one event."
    )
    max_retries: Annotated[int, integer(0, 1000)] = Field(
        3, description="Further tries after the first failure, before the entry is dead-lettered."
    )
    max_crashes: Annotated[int, integer(1, 1000)] = Field(
        3,
        description=(
            "How often an entry that runs alone may take its worker down, before it is"
            " dead-lettered."
        ),
    )
    backoff: Backoff = Field(
        default_factory=Backoff, description="Pause between tries: from 1s, doubled, up to 60s."
    )
    min_idle: Annotated[timedelta, Between("1s", "24h")] = Field(
        timedelta(seconds=60),
        description=(
            "How long an entry must have been left alone by its consumer before it is reclaimed."
        ),
    )
    on_unknown_type: UnknownType = Field(
        UnknownType.DEAD_LETTER,
        description="What becomes of an event without a handler: DeadLetter or Skip.",
    )
    deduplicate: Deduplicate | None = Field(
        None, description="Handle events once that were sent twice; off when absent."
    )
    replicas: Annotated[int, integer(1, 10)] | None = Field(
        None,
        description=(
            "An event counts as done when so many replicas of Redis have its end, too (WAIT);"
            " off when absent. With fewer replicas nothing is done: workers wait."
        ),
    )

    @model_serializer(mode="wrap")
    def _without_what_older_workers_refuse(self, whole: SerializerFunctionWrapHandler) -> Any:
        """A worker refuses a configuration with a field that its version does not know."""
        written = whole(self)
        if self.replicas is None:
            written.pop("replicas", None)
        return written

    @property
    def grace_seconds(self) -> int:
        """Whole seconds a pod gets to finish: the longest handler and 15 s to settle."""
        return math.ceil(self.handler_timeout.total_seconds()) + 15
