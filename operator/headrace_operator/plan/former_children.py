"""Names of children that an earlier spec wanted, as far as the status knows. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_api import names
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.plan.observation import ChildRef


def former_children(pipeline: StreamPipeline) -> Iterator[ChildRef]:
    """What may have to go because the spec changed; nothing while it has not."""
    status = pipeline.status
    if status is None or status.observed_generation == pipeline.metadata.generation:
        return
    place = (pipeline.namespace, pipeline.name)
    present = {group.name for group in pipeline.spec.groups}
    for group in status.groups:
        if group.name not in present:
            yield ChildRef("Deployment", names.deployment_name(*place, group.name))
        yield ChildRef("CronJob", names.reclaim_name(*place, group.name))
    yield ChildRef("CronJob", names.trim_name(*place))
