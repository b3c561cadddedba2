"""The stream that is consumed, how it is trimmed, and where dead letters go."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from headrace_api import cron
from headrace_api.duration import Between
from headrace_api.patterns import TIME_ZONE
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.container import Resources
from headrace_api.v1alpha1.pod_template import JobPodTemplate
from headrace_api.v1alpha1.scalars import GroupName, StreamName, atomic, integer

DEFAULT_TRIM_SCHEDULE = "*/15 * * * *"

# A key that Redis Cluster hashes by its own `{tag}`, or one without `}`, which can become a tag.
TAGGABLE = r"^([^}]*|[^{]*\{[^}]+\}.*)$"
_TAGGABLE = re.compile(TAGGABLE.replace("$", r"\Z"), re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
PLAIN = r"^[^\x00-\x1f\x7f]*$"
_TAG = re.compile(r"\{([^}]+)\}")

Length = Annotated[int, integer(1, 2**53, wide=True)]


def is_stream_name(name: str) -> bool:
    """Whether keys beside this stream can be put into its hash slot."""
    return _TAGGABLE.match(name) is not None and _CONTROL.search(name) is None


def hash_tag(stream: str) -> str:
    """The part that decides the hash slot: the stream's own non-empty tag, else its whole name."""
    own = _TAG.search(stream)
    return own[1] if own is not None else stream


def stream_name_cel(path: str) -> str:
    """CEL of `is_stream_name`."""
    return f"{path}.matches(r'(?s){TAGGABLE}') && {path}.matches(r'{PLAIN}')"


STREAM_NAME_SENTENCE = (
    "takes no empty hash tag {} and no } without a tag before it (Redis Cluster could not keep the"
    " stream and its bookkeeping together), and no control characters; write name or {tag}name"
)


class TrimPolicy(StrEnum):
    """What trimming may remove."""

    SAFE = "Safe"
    FORCE = "Force"


class Trim(Shape):
    """Keeps the stream from growing for ever, by a CronJob."""

    schedule: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None,
        description=(
            "When to trim, in cron's five fields. When absent every 15 minutes, moved by a hash of"
            " the name."
        ),
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        "Etc/UTC", description="Time zone of the schedule."
    )
    max_length: Length | None = Field(
        None, description="Entries to keep at most: older ones are removed."
    )
    max_age: Annotated[timedelta, Between("1s")] | None = Field(
        None, description="Age to keep at most, such as 168h: older entries are removed."
    )
    policy: TrimPolicy = Field(
        TrimPolicy.SAFE,
        description=(
            "Safe never removes an entry that a consumer group has not read or not finished."
            " Force removes it all the same, and it is lost to that group: status.trim.destroyed"
            " counts it. What a group of another pipeline needs stays."
        ),
    )
    ignore_groups: Annotated[tuple[GroupName, ...], atomic(at_most=64)] = Field(
        (),
        description=(
            "Consumer groups, under Redis's own names, that Safe does not wait for: abandoned ones."
        ),
    )

    resources: Resources | None = Field(
        None, description="Requests and limits of the trim Job; as in Container."
    )
    pod_template: JobPodTemplate | None = Field(
        None, description="The pod of the trim Job around its container, as in PodTemplateSpec."
    )

    rules = (
        Rule(
            "has(self.maxLength) || has(self.maxAge)",
            "trim needs maxLength, maxAge or both",
            lambda t: t.max_length is not None or t.max_age is not None,
            reason="FieldValueRequired",
        ),
        Rule(
            f"!has(self.schedule) || self.schedule.matches(r'{cron.PATTERN}')",
            cron.SENTENCE,
            lambda t: t.schedule is None or cron.is_shaped(t.schedule),
            field="schedule",
        ),
        Rule(
            f"!has(self.timeZone) || self.timeZone.matches('{TIME_ZONE}')"
            " && self.timeZone != 'Local'",
            "timeZone is a name of the time zone database such as Etc/UTC or Europe/Berlin",
            lambda t: (
                re.fullmatch(TIME_ZONE[1:-1], t.time_zone) is not None and t.time_zone != "Local"
            ),
            field="timeZone",
        ),
    )


class Stream(Shape):
    """The stream that every group of this pipeline reads."""

    name: StreamName = Field(
        description="Key of the stream in Redis. Cannot change; create another StreamPipeline."
    )
    trim: Trim | None = Field(None, description="How to trim the stream; never when absent.")

    rules = (
        Rule(
            "self.name == oldSelf.name",
            "stream.name cannot change; create a new StreamPipeline for the other stream",
            None,
            field="name",
        ),
        Rule(
            stream_name_cel("self.name"),
            f"stream.name {STREAM_NAME_SENTENCE}",
            lambda s: is_stream_name(s.name),
            field="name",
        ),
    )


class DeadLetter(Shape):
    """Where entries go that cannot be handled. They are kept when the pipeline is deleted."""

    stream: StreamName | None = Field(
        None,
        description=(
            "Key of the stream for dead letters; headrace:{tag}:dead:<stream> when absent."
        ),
    )
    max_length: Length = Field(
        100_000, description="Dead letters to keep at most: the oldest are removed."
    )

    rules = (
        Rule(
            f"!has(self.stream) || ({stream_name_cel('self.stream')})",
            f"deadLetter.stream {STREAM_NAME_SENTENCE}",
            lambda d: d.stream is None or is_stream_name(d.stream),
            field="stream",
        ),
    )
