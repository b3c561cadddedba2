"""Who we are in Redis: the owner of a group, the place that its data is in, and its keys. Pure."""

from __future__ import annotations

import hashlib

from headrace.streams.keys import GroupKeys, StreamKeys, UnusableName
from headrace_api.v1alpha1 import StreamPipeline

TAKE_OVER_ANNOTATION = "headrace.dev/take-over"


def owner_of(namespace: str, name: str, uid: str) -> str:
    """What stands in Redis as the owner of a pipeline's groups."""
    return f"{namespace}/{name}/{uid}"


def owner_of_pipeline(pipeline: StreamPipeline) -> str:
    """The same of a pipeline."""
    return owner_of(pipeline.namespace, pipeline.name, pipeline.metadata.uid)


def place_of(pipeline: StreamPipeline) -> str:
    """Names the Redis that holds the data, as a hash: what was known of another does not hold."""
    redis = pipeline.spec.redis
    master = redis.sentinel.master_name if redis.sentinel is not None else ""
    where = "\n".join((redis.mode, *sorted(pipeline.endpoints), str(redis.database), master))
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def group_keys(pipeline: StreamPipeline) -> tuple[GroupKeys, ...]:
    """Of every group that is or was this pipeline's, as far as spec and status tell."""
    names = [group.consumer_group_name for group in pipeline.spec.groups]
    if pipeline.status is not None:
        names += [group.consumer_group or group.name for group in pipeline.status.groups]
        names += [group.consumer_group for group in pipeline.status.orphaned_groups]
    try:
        stream = StreamKeys(pipeline.spec.stream.name)
        return tuple(stream.for_group(name) for name in dict.fromkeys(names))
    except UnusableName:
        return ()
