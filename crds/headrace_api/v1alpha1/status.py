"""What the operator reports. Numbers that are not known are absent, never 0."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from headrace_api.v1alpha1.scalars import atomic, integer, keyed_by

Count = Annotated[int, integer(0, 2**53, wide=True)]
Number = Annotated[int, integer(0, 2**31 - 1)]
Line = Annotated[str, Field(max_length=1024)]


class ConditionType(StrEnum):
    """Conditions, after kstatus: Reconciling and Stalled are present only while True."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SCALING_ACTIVE = "ScalingActive"
    BACKLOG_KNOWN = "BacklogKnown"
    TRIM_HELD_BACK = "TrimHeldBack"
    TRIM_FAILED = "TrimFailed"
    RECLAIM_FAILED = "ReclaimFailed"
    PERSISTENCE_RISK = "PersistenceRisk"
    SHARDS_UNEVEN = "ShardsUneven"
    CONFLICT = "Conflict"


class ConditionStatus(StrEnum):
    """Three-valued, as everywhere in Kubernetes."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Every reason that a condition may give."""

    # Ready, Reconciling
    AVAILABLE = "Available"
    SCALED_TO_ZERO = "ScaledToZero"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    UPDATE_WAITING = "UpdateWaiting"
    DELETING = "Deleting"
    WORKERS_NOT_READY = "WorkersNotReady"
    WORKERS_CRASHING = "WorkersCrashing"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    # Redis
    REDIS_UNREACHABLE = "RedisUnreachable"
    REDIS_REFUSED = "RedisRefused"
    REDIS_TOO_OLD = "RedisTooOld"
    REDIS_URL_INVALID = "RedisUrlInvalid"
    CONNECTION_NOT_FOUND = "ConnectionNotFound"
    CONNECTION_INVALID = "ConnectionInvalid"
    WRONG_TYPE = "WrongType"
    # what the user has to put right
    INVALID_SPEC = "InvalidSpec"
    INVALID_CHILD = "InvalidChild"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    KEY_NOT_FOUND = "KeyNotFound"
    NAME_CONFLICT = "NameConflict"
    GROUP_CONFLICT = "GroupConflict"
    CONFLICT = "Conflict"
    FORBIDDEN = "Forbidden"
    API_SERVER_FAILED = "ApiServerFailed"
    # the backlog
    EXACT = "Exact"
    UPPER_BOUND = "UpperBound"
    BACKLOG_UNKNOWN = "BacklogUnknown"
    GROUP_AHEAD_OF_STREAM = "GroupAheadOfStream"
    # scaling
    FOLLOWING_BACKLOG = "FollowingBacklog"
    AT_MAXIMUM = "AtMaximum"
    FALLBACK = "Fallback"
    FIXED = "Fixed"
    EXTERNAL = "External"
    # trimming
    HELD_BACK_BY_GROUP = "HeldBackByGroup"
    # the Jobs for trim and reclaim
    JOB_FAILED = "JobFailed"
    JOB_NOT_STARTED = "JobNotStarted"
    # what the Redis behind it can lose
    DISK_WRITE_FAILED = "DiskWriteFailed"
    STREAM_EVICTABLE = "StreamEvictable"
    NOT_PERSISTENT = "NotPersistent"
    # how a Cluster carries it
    HOT_SHARD = "HotShard"
    # anything that the operator did not expect
    INTERNAL_ERROR = "InternalError"


class Report(BaseModel):
    """An object in the status: what a newer operator wrote is passed over, not refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class Condition(Report):
    """One aspect of the pipeline's state, as in metav1.Condition."""

    type: Annotated[str, Field(max_length=316)] = Field(description="Which aspect.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    observed_generation: Count | None = Field(
        None, description="Generation of the spec that this was set for."
    )
    last_transition_time: Annotated[datetime, Field(json_schema_extra={"format": "date-time"})] = (
        Field(description="When the status last changed.")
    )
    reason: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="Why, in one word."
    )
    message: Annotated[str, Field(max_length=32768)] = Field(
        "", description="Why, in a sentence, and what to do."
    )


class StreamStatus(Report):
    """The stream in Redis."""

    length: Count | None = Field(None, description="Entries in the stream.")
    entries_added: Count | None = Field(None, description="Entries ever added to it.")
    first_id: Line | None = Field(None, description="Id of the oldest entry.")
    last_id: Line | None = Field(None, description="Id of the newest entry.")
    bytes: Count | None = Field(
        None, description="Memory that it takes, by the server's own estimate, once a minute."
    )
    memory_full_in: Line | None = Field(
        None,
        description=(
            "When Redis's maxmemory is reached if all that is in this Redis grows as in the last"
            " hour, such as 31h. Absent where it does not grow, beyond 30 days, and where there is"
            " no maxmemory."
        ),
    )


class DestroyedEntries(Report):
    """What policy Force took from one group."""

    group: Annotated[str, Field(max_length=256)] = Field(description="Redis's name of the group.")
    unread: Count = Field(description="Entries that it had not read.")
    pending: Count = Field(description="Entries that it had read and not settled.")

    @property
    def summary(self) -> str:
        parts = ((self.unread, "not read"), (self.pending, "read and not settled"))
        return ", ".join(f"{count:,} {words}" for count, words in parts if count)


MOST_DESTROYED_OF = 8
"""Groups that are named: a termination message holds 4 KiB."""


class TrimStatus(Report):
    """The newest trim that ended well."""

    completed_at: Annotated[datetime, Field(json_schema_extra={"format": "date-time"})] = Field(
        description="When it ended."
    )
    removed: Count = Field(description="Entries that it removed.")
    length: Count = Field(description="Entries that it left.")
    freed_bytes: Count | None = Field(
        None, description="Memory that it freed, by the server's own estimate."
    )
    held_back_by: Line | None = Field(
        None, description="Consumer group that still needs entries beyond the limits."
    )
    consumer: Line | None = Field(
        None, description="Consumer of that group that holds the oldest of them."
    )
    destroyed: Annotated[tuple[DestroyedEntries, ...], atomic(at_most=MOST_DESTROYED_OF)] = Field(
        (),
        description=(
            "What policy Force took, by group: entries that it still needed. The groups that lost"
            " most."
        ),
    )


class GroupStatus(Report):
    """A consumer group and its workers."""

    name: Annotated[str, Field(max_length=30)] = Field(description="Name of the group.")
    consumer_group: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="Redis's own name of it."
    )
    deployment: Line | None = Field(None, description="Name of the workers' Deployment.")
    replicas: Number | None = Field(None, description="Workers that exist.")
    ready_replicas: Number | None = Field(None, description="Workers that are ready.")
    desired_replicas: Number | None = Field(None, description="Workers that there should be.")
    lag: Count | None = Field(None, description="Entries not yet read; absent while unknown.")
    lag_source: Line | None = Field(
        None, description="How the lag is known, and whether it is exact or an upper bound."
    )
    pending: Count | None = Field(
        None, description="Entries read and not settled; absent while unknown."
    )
    parked: Count | None = Field(None, description="Pending entries that wait for another try.")
    oldest_age_seconds: Count | None = Field(
        None, description="Age of the oldest entry that is not settled."
    )
    floor_id: Line | None = Field(
        None, description="Id up to which everything is settled: Safe trimming stops here."
    )


class OrphanedGroup(Report):
    """A consumer group that left the spec and was kept, as deletionPolicy Retain says."""

    name: Annotated[str, Field(max_length=30)] = Field(description="Name it had in the spec.")
    consumer_group: Annotated[str, Field(max_length=256)] = Field(
        description="Redis's own name of it."
    )


class Status(Report):
    """What the operator last saw."""

    observed_generation: Annotated[int, integer(-1, 2**53, wide=True)] = Field(
        -1, description="Generation of the spec that the operator has acted on."
    )
    conditions: Annotated[tuple[Condition, ...], keyed_by("type", at_most=16)] = Field(
        (), description="Ready and further aspects; their messages say what to do."
    )
    workers: Line | None = Field(None, description="Ready and all workers, as 3/5.")
    replicas: Number | None = Field(None, description="Workers of all groups.")
    ready_replicas: Number | None = Field(None, description="Ready workers of all groups.")
    lag: Count | None = Field(
        None, description="Entries not yet read, over all groups; absent while unknown."
    )
    pending: Count | None = Field(
        None, description="Entries read and not settled, over all groups; absent while unknown."
    )
    dead_letters: Count | None = Field(
        None, description="Entries in the stream of dead letters; absent while unknown."
    )
    stream: StreamStatus | None = Field(None, description="The stream in Redis.")
    trim: TrimStatus | None = Field(None, description="The newest trim that ended well.")
    endpoint: Line | None = Field(
        None,
        description="Where Redis is looked for, whoever says it.",
    )
    place: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description=(
            "Which Redis the groups' floorId is of: a hash of mode, endpoints and database."
        ),
    )
    groups: Annotated[tuple[GroupStatus, ...], keyed_by("name", at_most=16)] = Field(
        (), description="Each consumer group."
    )
    orphaned_groups: Annotated[tuple[OrphanedGroup, ...], atomic(at_most=64)] = Field(
        (),
        description=(
            "Groups that left the spec and are still in Redis: they hold trimming back. One that"
            " is dropped there (XGROUP DESTROY) leaves this list. The newest 64."
        ),
    )
    orphaned_group_count: Count | None = Field(
        None, description="How many such groups there are, where they are more than are listed."
    )

    def condition(self, condition_type: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((c for c in self.conditions if c.type == condition_type), None)
