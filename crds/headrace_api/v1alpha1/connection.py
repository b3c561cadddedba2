"""RedisConnection: where a Redis is, for all pipelines that name it."""

from typing import Annotated

from pydantic import Field

from headrace_api import CONNECTION_KIND
from headrace_api.v1alpha1.api_object import ApiObject
from headrace_api.v1alpha1.redis import RedisPlace
from headrace_api.v1alpha1.scalars import integer, keyed_by
from headrace_api.v1alpha1.status import Condition, Count, Line, Report


class RedisConnectionSpec(RedisPlace):
    """Where Redis (7.0 or newer) or Valkey (8 or newer) is and how to connect to it."""


class RedisConnectionStatus(Report):
    """What the operator last found there; it asks twice a minute."""

    observed_generation: Annotated[int, integer(-1, 2**53, wide=True)] = Field(
        -1, description="Generation of the spec that the operator has looked at."
    )
    conditions: Annotated[tuple[Condition, ...], keyed_by("type", at_most=16)] = Field(
        (), description="Ready and what else there is to know; their messages say what to do."
    )
    endpoint: Line | None = Field(None, description="Where it was looked for, and its database.")
    server: Line | None = Field(None, description="Which server answers, as redis 7.2.4.")
    role: Line | None = Field(
        None,
        description="As primary, 1 replica; of a Cluster as 3 primaries, 3 replicas.",
    )
    persistence: Line | None = Field(
        None, description="What it writes to its disk: appendonly, snapshots or none."
    )
    eviction_policy: Line | None = Field(None, description="Its maxmemory-policy.")
    pipelines: Count | None = Field(None, description="Pipelines that name it.")


class RedisConnection(ApiObject):
    """A Redis or Valkey that pipelines of its namespace name by redis.connectionRef."""

    kind: str = CONNECTION_KIND
    spec: RedisConnectionSpec
    status: RedisConnectionStatus = Field(default_factory=RedisConnectionStatus)
