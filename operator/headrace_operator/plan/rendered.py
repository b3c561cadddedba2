"""What the spec alone says of a pipeline's children, worked out once per generation. Pure.

In: the pipeline. Out: the children's names, and their manifests without what changes from pass to
pass (replicas, suspension, the digest of referenced objects).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from headrace_api import names
from headrace_api.v1alpha1 import Group, JobPodTemplate, PodTemplate, StreamPipeline
from headrace_api.worker_config import WorkerConfig
from headrace_operator.plan import cron_jobs, references
from headrace_operator.plan.actions import PlanSettings, Rendered
from headrace_operator.plan.config_map import config_map
from headrace_operator.plan.deployment import deployment
from headrace_operator.plan.observation import ChildRef
from headrace_operator.plan.references import Reference
from headrace_operator.plan.service_account import service_account


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `observe` must look up beyond its caches.

    children: a name among these that no cache holds needs a live GET (it may be a stranger's).
    secrets, config_maps: the user's objects to GET for Observation.references.
    """

    children: tuple[ChildRef, ...]
    secrets: frozenset[str]
    config_maps: frozenset[str]


class RenderedGroup:
    """One group's names and manifests."""

    def __init__(self, pipeline: StreamPipeline, group: Group, settings: PlanSettings) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self.group = group
        place = (pipeline.namespace, pipeline.name, group.name)
        self.deployment_name = names.deployment_name(*place)
        self.reclaim_name = names.reclaim_name(*place) if group.wants_reclaim_job else None
        self.references: tuple[Reference, ...] = tuple(references.group_references(group))
        self._deployment: tuple[str | None, Rendered] | None = None

    @property
    def uses_our_account(self) -> bool:
        """Its pods run under the pipeline's own ServiceAccount."""
        return _uses_our_account(self.group.worker.pod_template)

    @cached_property
    def config(self) -> WorkerConfig:
        return WorkerConfig.from_pipeline(self._pipeline, self.group)

    @cached_property
    def config_map_name(self) -> str:
        return names.config_map_name(
            self._pipeline.name, self.group.name, self.config.content_hash()
        )

    @cached_property
    def config_map(self) -> Rendered:
        return Rendered.of(
            config_map(
                self._pipeline, self.group, self._settings, self.config_map_name, self.config
            )
        )

    @cached_property
    def reclaim(self) -> Rendered:
        """The reclaim CronJob, not suspended."""
        assert self.reclaim_name is not None
        return Rendered.of(
            cron_jobs.reclaim(
                self._pipeline, self.group, self._settings, self.reclaim_name, self.config_map_name
            )
        )

    def deployment(self, digest: str | None) -> Rendered:
        """The Deployment without replicas; `digest` is that of the objects its pods refer to."""
        if self._deployment is None or self._deployment[0] != digest:
            made = deployment(
                self._pipeline,
                self.group,
                self._settings,
                name=self.deployment_name,
                config_map=self.config_map_name,
                config=self.config,
                references_hash=digest,
            )
            self._deployment = (digest, Rendered.of(made))
        return self._deployment[1]


class RenderedPipeline:
    """All names and manifests of one pipeline; each is made when it is first asked for."""

    def __init__(self, pipeline: StreamPipeline, settings: PlanSettings) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self.groups = tuple(
            RenderedGroup(pipeline, group, settings) for group in pipeline.spec.groups
        )
        self.references: tuple[Reference, ...] = tuple(references.references_of(pipeline))

    def is_of(self, pipeline: StreamPipeline, settings: PlanSettings) -> bool:
        """Made from this very spec (the object, not one that is equal), these settings, and the
        same labels and annotations as far as children inherit them."""
        inherited_from = settings.worker_defaults.inherited_from
        return (
            self._pipeline.spec is pipeline.spec
            and self._settings == settings
            and inherited_from(self._pipeline) == inherited_from(pipeline)
        )

    @cached_property
    def service_account(self) -> Rendered:
        return Rendered.of(service_account(self._pipeline, self._settings))

    @cached_property
    def trim(self) -> Rendered | None:
        """The trim CronJob; None when the pipeline does not trim."""
        manifest = cron_jobs.trim(self._pipeline, self._settings)
        return None if manifest is None else Rendered.of(manifest)

    @property
    def trim_uses_our_account(self) -> bool:
        trim = self._pipeline.spec.stream.trim
        return _uses_our_account(trim.pod_template if trim is not None else None)

    @cached_property
    def wanted(self) -> Wanted:
        return Wanted(tuple(self._children()), *references.named_objects(self.references))

    def _children(self) -> Iterable[ChildRef]:
        yield ChildRef("ServiceAccount", names.service_account_name(self._pipeline.name))
        for group in self.groups:
            yield ChildRef("ConfigMap", group.config_map_name)
            yield ChildRef("Deployment", group.deployment_name)
            if group.reclaim_name is not None:
                yield ChildRef("CronJob", group.reclaim_name)
        if self._pipeline.spec.stream.trim is not None:
            trim = names.trim_name(self._pipeline.namespace, self._pipeline.name)
            yield ChildRef("CronJob", trim)


def _uses_our_account(template: PodTemplate | JobPodTemplate | None) -> bool:
    spec = template.spec if template is not None else None
    return spec is None or spec.service_account_name is None
