"""StreamPipeline: one stream, its consumer groups, and everything that runs them."""

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, model_validator

from headrace_api import KIND
from headrace_api.rules import Rule, Shape, obey
from headrace_api.v1alpha1.api_object import ApiObject
from headrace_api.v1alpha1.group import Group
from headrace_api.v1alpha1.redis import Redis, RedisMode
from headrace_api.v1alpha1.scalars import keyed_by
from headrace_api.v1alpha1.status import Status
from headrace_api.v1alpha1.stream import DeadLetter, Stream, hash_tag

NAME_LENGTH = 52
_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_GROUP_OF = "(has({0}.consumerGroup) ? {0}.consumerGroup : {0}.name)"
_TAG_OF = "({0}.find(r'\\{{[^}}]+\\}}') != '' ? {0}.find(r'\\{{[^}}]+\\}}') : '{{' + {0} + '}}')"


class DeletionPolicy(StrEnum):
    """What becomes of consumer groups that are no longer wanted."""

    RETAIN = "Retain"
    DELETE = "Delete"


def _output_streams(spec: "StreamPipelineSpec") -> set[str]:
    return {output.stream for group in spec.groups for output in group.outputs}


class StreamPipelineSpec(Shape):
    """What the pipeline should be."""

    suspend: bool = Field(
        False,
        strict=True,
        description="Stops every worker and CronJob; groups and data stay as they are.",
    )
    deletion_policy: DeletionPolicy = Field(
        DeletionPolicy.RETAIN,
        description=(
            "Retain keeps the consumer groups in Redis when the pipeline is deleted or a group"
            " leaves the list. Delete drops them with their bookkeeping; never a stream, never dead"
            " letters."
        ),
    )
    redis: Redis = Field(description="Where Redis or Valkey is and how to connect to it.")
    stream: Stream = Field(description="The stream that every group reads.")
    dead_letter: DeadLetter = Field(
        DeadLetter(), description="Where entries go that cannot be handled."
    )
    groups: Annotated[tuple[Group, ...], keyed_by("name", at_least=1, at_most=16)] = Field(
        description="One to 16 consumer groups. Each gets every entry and has its own workers."
    )

    rules = (
        Rule(
            f"self.groups.all(a, self.groups.exists_one(b, {_GROUP_OF.format('b')}"
            f" == {_GROUP_OF.format('a')}))",
            "two groups use the same consumerGroup; give each its own",
            lambda s: len({g.consumer_group_name for g in s.groups}) == len(s.groups),
            field="groups",
            reason="FieldValueForbidden",
        ),
        Rule(
            "self.groups.all(g, !has(g.outputs) || g.outputs.all(o, o.stream != self.stream.name))",
            "outputs must not name the pipeline's own stream: its entries would come back for ever",
            lambda s: s.stream.name not in _output_streams(s),
            field="groups",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.deadLetter.stream) || self.groups.all(g, !has(g.outputs)"
            " || g.outputs.all(o, o.stream != self.deadLetter.stream))",
            "outputs must not name the stream of dead letters; handlers reach it by raising Reject",
            lambda s: s.dead_letter.stream not in _output_streams(s),
            field="groups",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.deadLetter.stream) || self.deadLetter.stream != self.stream.name",
            "deadLetter.stream must not be the pipeline's own stream",
            lambda s: s.dead_letter.stream != s.stream.name,
            field="deadLetter",
        ),
        Rule(
            "self.redis.mode != 'Cluster' || !has(self.deadLetter.stream)"
            f" || {_TAG_OF.format('self.deadLetter.stream')}"
            f" == {_TAG_OF.format('self.stream.name')}",
            "in mode Cluster deadLetter.stream must share the stream's hash slot: give both names"
            " the same {tag}, or leave deadLetter.stream out",
            lambda s: (
                s.redis.mode is not RedisMode.CLUSTER
                or s.dead_letter.stream is None
                or hash_tag(s.dead_letter.stream) == hash_tag(s.stream.name)
            ),
            field="deadLetter",
        ),
    )


class StreamPipeline(ApiObject):
    """A stream pipeline: a Redis stream, its consumer groups and their workers."""

    kind: str = KIND
    spec: StreamPipelineSpec
    status: Status = Field(default_factory=Status)

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"self.metadata.name.size() <= {NAME_LENGTH} && self.metadata.name.matches('{_NAME}')",
            f"metadata.name takes at most {NAME_LENGTH} lower-case letters, digits and dashes: the"
            " names of Deployments and CronJobs are built from it",
            lambda p: (
                len(p.metadata.name) <= NAME_LENGTH
                and re.fullmatch(_NAME[1:-1], p.metadata.name) is not None
            ),
            below="metadata.name",
        ),
    )

    @model_validator(mode="after")
    def _obey_rules(self, info: ValidationInfo) -> "StreamPipeline":
        obey(self, self.rules, info)
        return self

    @property
    def name(self) -> str:
        """metadata.name"""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """metadata.namespace"""
        return self.metadata.namespace

    @property
    def key(self) -> str:
        """`<namespace>/<name>`"""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def dead_letter_stream(self) -> str:
        """Key of the stream of dead letters: the user's, else one in the stream's hash slot."""
        stream = self.spec.stream.name
        return self.spec.dead_letter.stream or f"headrace:{{{hash_tag(stream)}}}:dead:{stream}"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Redis's addresses as every pod of the cluster can resolve them."""
        return self.spec.redis.qualified_endpoints(self.metadata.namespace)
