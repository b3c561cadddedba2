"""`spec.replicas` of a Deployment and its field managers, as the API server keeps them.

The rules are those of a real API server (tests/integration/operator/
test_the_replicas_field_is_as_modelled.py holds them against one):

- an apply that leaves the field out gives up its ownership, and a field that loses its last owner
  so falls back to 1
- an update that changes nothing owns nothing
- /scale notes no update of a field without owners, and an apply there finds the one that stands for
  whatever was before
- a Scale of 0 leaves the number out, so an update to 0 leaves no owner
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT = 1
BEFORE = "before-first-apply"


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

    def scale_applied(self, manager: str, value: int) -> ReplicasField:
        """Forced server-side apply of /scale with this number."""
        if self.owners:
            return self.applied(manager, value)
        seen_before = value == self.value and value != 0
        return ReplicasField(value, frozenset({manager, BEFORE} if seen_before else {manager}))

    def updated(self, manager: str, value: int) -> ReplicasField:
        """An update of /scale, as an HPA or `kubectl scale` sends it."""
        if value == self.value:
            return self
        noted = self.owners and value != 0
        return ReplicasField(value, frozenset({manager} if noted else ()))

    def managed_fields(self) -> list[dict[str, Any]]:
        """An entry for each owner."""
        owned = {"f:spec": {"f:replicas": {}}}
        return [
            {
                "manager": manager,
                "operation": "Update" if manager == BEFORE else "Apply",
                "fieldsV1": owned,
            }
            for manager in sorted(self.owners)
        ]
