"""Both namespaces enforce the restricted Pod Security Standard, and everything runs in them."""

from __future__ import annotations

import pytest
from examples.flights.demo.commands import CommandFailed, Kubectl
from tests.support.pipeline_namespace import Airport


def test_both_namespaces_refuse_what_is_not_restricted(airport: Airport, headrace: Kubectl) -> None:
    for kubectl in (airport.kubectl, headrace):
        with pytest.raises(CommandFailed, match="violates PodSecurity"):
            kubectl("run", "loose", "--image=docker.io/library/redis:8.0", "--dry-run=server")
    ready = headrace.get("deployment", "headrace")["status"]["readyReplicas"]
    assert ready == 2
