"""The plan of one pipeline, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_api.v1alpha1 import StreamPipeline

from headrace_operator.observation import ChildRef, Observation
from headrace_operator.plan.actions import Plan, Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `observe` must look at beyond its caches.

    children: a name among these that no cache holds needs a live GET (it may be a stranger's).
    secrets, config_maps: the user's objects to GET for Observation.references.
    """

    children: tuple[ChildRef, ...]
    secrets: frozenset[str]
    config_maps: frozenset[str]


def wanted(pipeline: StreamPipeline, settings: Settings) -> Wanted:
    """Names everything a plan for `pipeline` would touch or read. Pure."""
    raise NotImplementedError


def plan(observation: Observation, settings: Settings) -> Plan:
    """Says all there is to do for one pipeline that is not being deleted. Pure."""
    raise NotImplementedError
