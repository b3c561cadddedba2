"""`spec.replicas` of a Deployment and its field managers, as the API server keeps them.

The rules were tried one by one on a real API server (tests/integration/operator/test_replicas.py
keeps them true): an apply that leaves the field out gives up its ownership, and a field that loses
its last owner so falls back to 1; an update that changes nothing owns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT = 1


@dataclass(frozen=True, slots=True)
class ReplicasField:
    """`owners`: the managers that own the field now; every manager writes it in one way only."""

    value: int = DEFAULT
    owners: frozenset[str] = frozenset()

    def applied(self, manager: str, value: int | None) -> ReplicasField:
        """Forced server-side apply with this number, or without the field."""
        others = self.owners - {manager}
        if value is None:
            gave_up_the_last = manager in self.owners and not others
            return ReplicasField(DEFAULT if gave_up_the_last else self.value, others)
        kept = others if value == self.value else frozenset()
        return ReplicasField(value, kept | {manager})

    def updated(self, manager: str, value: int) -> ReplicasField:
        """An update of /scale, as an HPA or `kubectl scale` sends it."""
        return self if value == self.value else ReplicasField(value, frozenset({manager}))

    def managed_fields(self) -> list[dict[str, Any]]:
        """An entry for each owner."""
        owned = {"f:spec": {"f:replicas": {}}}
        return [
            {"manager": manager, "operation": "Apply", "fieldsV1": owned}
            for manager in sorted(self.owners)
        ]
