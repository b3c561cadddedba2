"""What a model of `spec.replicas` and its owners says, a real API server does.

tests/unit/operator/test_replicas_never_jump.py rests on that model.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.support.kube import Kube
from tests.support.replicas_field import ReplicasField

from headrace_operator.kube.kinds import DEPLOYMENT

OWN, HAND_OVER = "headrace", "headrace-handover"
OTHERS = ("kubectl", "kube-controller-manager")


class Field:
    """The real one. The Deployment is paused, so that no pod is made."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.kube, self.namespace, self.name = kube, namespace, name

    def apply(self, number: int | None) -> None:
        """The whole Deployment, as the operator does it."""
        labels = {"app": self.name}
        spec: dict[str, Any] = {
            "paused": True,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "worker", "image": "none"}]},
            },
        }
        if number is not None:
            spec["replicas"] = number
        metadata = {"namespace": self.namespace, "name": self.name}
        manifest = {"apiVersion": DEPLOYMENT.api_version, "kind": "Deployment"}
        self.kube.apply({**manifest, "metadata": metadata, "spec": spec}, OWN)

    def apply_scale(self, number: int) -> None:
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": number}}
        path = DEPLOYMENT.path(self.namespace, self.name, "scale")
        query = [("fieldManager", HAND_OVER), ("force", "true")]
        self.kube.request("PATCH", path, scale, "application/apply-patch+yaml", query)

    def update_scale(self, manager: str, number: int) -> None:
        """As an HPA and `kubectl scale` do it."""
        patch = {"spec": {"replicas": number}}
        self.kube.patch(DEPLOYMENT, self.namespace, self.name, patch, sub="scale", manager=manager)

    def seen(self) -> ReplicasField:
        live = self.kube.get(DEPLOYMENT, self.namespace, self.name)
        assert live
        owners = {
            entry["manager"]
            for entry in live["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }
        return ReplicasField(live["spec"]["replicas"], frozenset(owners))


@pytest.mark.parametrize("seed", range(8))
def test_each_way_to_write_replicas_does_what_the_model_says(
    kube: Kube, namespace: str, seed: int
) -> None:
    draw = random.Random(seed)
    real = Field(kube, namespace, f"d{seed}")
    first = draw.choice([None, 0, 2])
    real.apply(first)
    model, story = ReplicasField().applied(OWN, first), [f"created with {first}"]
    for _ in range(20):
        number = draw.randrange(4)
        match draw.choice(["apply", "apply without", "hand over", "update", "update"]):
            case "apply":
                real.apply(number)
                model = model.applied(OWN, number)
            case "apply without":
                number = -1
                real.apply(None)
                model = model.applied(OWN, None)
            case "hand over":
                real.apply_scale(number)
                model = model.scale_applied(HAND_OVER, number)
            case _:
                manager = draw.choice(OTHERS)
                real.update_scale(manager, number)
                model = model.updated(manager, number)
        story.append(f"{number} -> {model}")
        assert real.seen() == model, story
