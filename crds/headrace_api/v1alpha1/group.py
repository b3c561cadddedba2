"""A consumer group and its workers."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from headrace_api import cron
from headrace_api.patterns import ENTRY_ID
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.delivery import Delivery
from headrace_api.v1alpha1.scalars import (
    PRINTABLE,
    GroupName,
    StreamName,
    integer,
    is_printable,
    keyed_by,
)
from headrace_api.v1alpha1.scaling import Scaling
from headrace_api.v1alpha1.stream import (
    STREAM_NAME_SENTENCE,
    Length,
    is_stream_name,
    stream_name_cel,
)
from headrace_api.v1alpha1.worker import Runtime, Worker

DEFAULT_RECLAIM_SCHEDULE = "*/5 * * * *"

_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_HEADRACE_DELIVERY = {"max_crashes", "backoff", "on_unknown_type", "deduplicate", "replicas"}


class StartFrom(StrEnum):
    """Where a new consumer group begins to read."""

    BEGINNING = "Beginning"
    END = "End"
    ID = "Id"


class Start(Shape):
    """Read only while the group does not exist in Redis yet."""

    from_: StartFrom = Field(
        StartFrom.BEGINNING,
        alias="from",
        description=(
            "Beginning: everything that is in the stream. End: only what comes after. Id: what"
            " comes after `id`."
        ),
    )
    id: Annotated[str, Field(max_length=41)] | None = Field(
        None, description="Entry id such as 1526919030474-55. Goes with `from: Id`."
    )

    rules = (
        Rule(
            "((has(self.from) ? self.from : 'Beginning') == 'Id') == has(self.id)",
            "id goes with from: Id, and from: Id needs it",
            lambda s: (s.from_ is StartFrom.ID) == (s.id is not None),
        ),
        Rule(
            f"!has(self.id) || self.id.matches('{ENTRY_ID}')",
            "id is an entry id such as 1526919030474-55 (milliseconds, dash, sequence number),"
            " without leading zeros",
            lambda s: s.id is None or re.fullmatch(ENTRY_ID[1:-1], s.id) is not None,
            field="id",
        ),
    )

    @property
    def redis_id(self) -> str:
        """The id for XGROUP CREATE."""
        if self.from_ is StartFrom.ID and self.id is not None:
            return self.id
        return "$" if self.from_ is StartFrom.END else "0-0"


class Reclaim(Shape):
    """A CronJob that takes over entries whose workers are gone, when no worker is there to."""

    schedule: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None,
        description=(
            "When to look, in cron's five fields. When absent every 5 minutes, moved by a hash of"
            " the name."
        ),
    )
    count: Annotated[int, integer(1, 10_000)] = Field(50, description="Entries taken over at once.")

    rules = (
        Rule(
            f"!has(self.schedule) || self.schedule.matches(r'{cron.PATTERN}')",
            cron.SENTENCE,
            lambda r: r.schedule is None or cron.is_shaped(r.schedule),
            field="schedule",
        ),
    )


class Output(Shape):
    """A stream that handlers may emit to."""

    stream: StreamName = Field(description="Key of the stream in Redis.")
    max_length: Length | None = Field(
        None, description="Entries it keeps at most: the oldest are removed. Unbounded when absent."
    )

    rules = (
        Rule(
            stream_name_cel("self.stream"),
            f"outputs[].stream {STREAM_NAME_SENTENCE}",
            lambda o: is_stream_name(o.stream),
            field="stream",
        ),
    )


class Group(Shape):
    """A consumer group: who reads the stream, how, and with how many workers."""

    name: Annotated[str, Field(min_length=1, max_length=30)] = Field(
        description="Name of the group here: it names the Deployment. Lower case, at most 30."
    )
    consumer_group: GroupName | None = Field(
        None,
        description="Redis's own name of the group; the same as name when absent. Cannot change.",
    )
    start: Start = Field(
        default_factory=Start,
        description="Where to begin while the group is not in Redis; when absent at the beginning.",
    )
    worker: Worker = Field(description="What runs in the group's pods.")
    delivery: Delivery = Field(
        default_factory=Delivery, description="Time-outs, retries, dead letters."
    )
    scaling: Scaling = Field(
        default_factory=Scaling,
        description="How many workers; by the backlog, from 0 to 10, when absent.",
    )
    reclaim: Reclaim = Field(
        default_factory=Reclaim,
        description=(
            "The CronJob that takes over what lost workers left. Runtime Custom has one only when"
            " this is written."
        ),
    )
    outputs: Annotated[tuple[Output, ...], keyed_by("stream", at_most=32)] = Field(
        (), description="Streams that handlers may emit to. Runtime Headrace only."
    )

    rules = (
        Rule(
            f"self.name.matches('{_LABEL}')",
            "name takes lower-case letters, digits and dashes, and begins and ends with a letter or"
            " digit; another name in Redis goes into consumerGroup",
            lambda g: re.fullmatch(_LABEL[1:-1], g.name) is not None,
            field="name",
        ),
        Rule(
            "(has(self.consumerGroup) ? self.consumerGroup : self.name)"
            " == (has(oldSelf.consumerGroup) ? oldSelf.consumerGroup : oldSelf.name)",
            "consumerGroup cannot change; add a group under a new name and remove this one",
            None,
            field="consumerGroup",
        ),
        Rule(
            f"!has(self.consumerGroup) || self.consumerGroup.matches(r'{PRINTABLE}')",
            "consumerGroup takes no control characters, no invisible ones and no spaces but the"
            " plain one",
            lambda g: g.consumer_group is None or is_printable(g.consumer_group),
            field="consumerGroup",
        ),
        Rule(
            "(has(self.worker.runtime) ? self.worker.runtime : 'Headrace') == 'Headrace'"
            " || !has(self.delivery) || !(has(self.delivery.maxCrashes)"
            " || has(self.delivery.backoff) || has(self.delivery.onUnknownType)"
            " || has(self.delivery.deduplicate) || has(self.delivery.replicas))",
            "delivery.maxCrashes, backoff, onUnknownType, deduplicate and replicas go with runtime"
            " Headrace; remove them",
            lambda g: (
                g.worker.runtime is Runtime.HEADRACE
                or not (g.delivery.model_fields_set & _HEADRACE_DELIVERY)
            ),
            field="delivery",
        ),
        Rule(
            "(has(self.worker.runtime) ? self.worker.runtime : 'Headrace') == 'Headrace'"
            " || !has(self.outputs) || self.outputs.size() == 0",
            "outputs go with runtime Headrace: a Custom worker writes where it likes; remove them",
            lambda g: g.worker.runtime is Runtime.HEADRACE or not g.outputs,
            field="outputs",
        ),
    )

    @property
    def consumer_group_name(self) -> str:
        """Redis's own name of the group."""
        return self.consumer_group or self.name

    @property
    def wants_reclaim_job(self) -> bool:
        """Custom groups get a reclaim CronJob only if they write one."""
        return self.worker.runtime is Runtime.HEADRACE or "reclaim" in self.model_fields_set

    @property
    def termination_grace_seconds(self) -> int:
        """Seconds between SIGTERM and SIGKILL: the user's, else the longest handler and 15 s."""
        template = self.worker.pod_template
        if template is not None and template.spec is not None:
            given = template.spec.termination_grace_period_seconds
            if given is not None:
                return given
        return self.delivery.grace_seconds
