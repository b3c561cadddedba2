"""In whatever order modes, suspensions, other writers and crashes come: replicas never jump.

After every single write the number is the one that was there, or the one that the newest spec
asks for: 0 while suspended, Fixed's own, Automatic's decision, and in External nobody's but the
other writer's, or what was there before a suspension.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from tests.support.observations import (
    CLOCK,
    SETTINGS,
    backlog,
    group_backlog,
    live,
    observe,
    pipeline,
)
from tests.support.replicas_field import DEFAULT, ReplicasField

from headrace_operator.kube.apply_diff import differences
from headrace_operator.plan import Apply, EnsureGroup, Scale, plan
from headrace_operator.plan.observation import ChildRef, Manifest, Observation
from headrace_operator.scaling.decide import ScalingHistory

REF = ChildRef("Deployment", "flights-delays")
OWN = "headrace"
MOST = 10  # maxReplicas by default
numbers = st.integers(0, 9)


class Replicas(RuleBasedStateMachine):
    """A pipeline, its one Deployment as the API server keeps it, and an operator that may die."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling: dict[str, Any] = {"mode": "Automatic"}
        self.suspend = False
        self.handler = 0
        self.ready: int | None = 0
        self.clock = CLOCK
        self.claimed = False
        self.history: dict[str, ScalingHistory] = {}
        self.children: dict[ChildRef, Manifest] = {}
        self.replicas: ReplicasField | None = None
        self.before_suspend: int | None = None  # of the suspension that is carried out now

    @rule(mode=st.sampled_from(["Automatic", "External"]))
    def mode(self, mode: str) -> None:
        self.scaling = {"mode": mode}

    @rule(number=numbers)
    def fixed(self, number: int) -> None:
        self.scaling = {"mode": "Fixed", "replicas": number}

    @rule(suspend=st.booleans())
    def suspended(self, suspend: bool) -> None:
        self.suspend = suspend

    @rule(handler=st.integers(1, 3))
    def new_template(self, handler: int) -> None:
        self.handler = handler

    @rule(ready=st.none() | st.integers(0, 900), seconds=st.floats(0.0, 90.0))
    def later(self, ready: int | None, seconds: float) -> None:
        self.ready, self.clock = ready, self.clock + seconds

    @rule(manager=st.sampled_from(["kubectl", "kube-controller-manager"]), number=numbers)
    def scaled(self, manager: str, number: int) -> None:
        """By somebody else. An HPA leaves a Deployment at 0 alone; a person does not."""
        if self.replicas is not None and (manager == "kubectl" or self.replicas.value > 0):
            self.replicas = self.replicas.updated(manager, number)
            self.children[REF] = self.stored(self.children[REF])

    @rule()
    def restart(self) -> None:
        self.history, self.claimed = {}, False

    @rule(writes=st.integers(0, 4))
    def crash(self, writes: int) -> None:
        """The operator dies in the middle of a look, after so many writes."""
        self.carry_out(writes)
        self.restart()

    @rule()
    def look(self) -> None:
        self.carry_out()

    def teardown(self) -> None:
        """Left alone it comes to rest, where the spec wants it."""
        for _ in range(8):
            claimed = self.claimed
            if self.carry_out() == 0 and claimed:
                break
        else:
            raise AssertionError("it goes on writing")
        assert self.replicas is not None
        if self.suspend:
            assert self.replicas.value == 0
        elif self.scaling["mode"] == "Fixed":
            assert self.replicas.value == self.scaling["replicas"]
        elif self.scaling["mode"] == "External":
            assert self.replicas.owners != {OWN}, "the next apply without replicas resets them"

    def carry_out(self, most: int | None = None) -> int:
        """One look, with at most so many writes; how many there were to do."""
        seen = self.observation()
        made = plan(seen, SETTINGS)
        (group,) = made.workers
        decided = None if group.cause is None else group.wanted
        todo = [*made.scales, *filter(self.differs, made.applies)]
        for write in todo[:most]:
            if isinstance(write, Apply) and write.ref != REF:
                self.children[write.ref] = self.stored(live(write.manifest))
                continue
            before = None if self.replicas is None else self.replicas.value
            self.write(write)
            self.check(before, decided)
        self.history = dict(made.history)
        self.claimed |= any(isinstance(one, EnsureGroup) for one in made.group_operations)
        return len(todo)

    def write(self, write: Scale | Apply) -> None:
        field = self.replicas or ReplicasField()
        if isinstance(write, Scale):
            self.replicas = field.scale_applied(write.manager, write.replicas)
            self.children[REF] = self.stored(self.children[REF])
        else:
            self.replicas = field.applied(OWN, write.manifest["spec"].get("replicas"))
            self.children[REF] = self.stored(live(write.manifest))

    def check(self, before: int | None, decided: int | None) -> None:
        assert self.replicas is not None
        now = self.replicas.value
        if self.suspend:
            assert now == 0
            self.before_suspend = (
                (before or 0) if self.before_suspend is None else (self.before_suspend)
            )
            return
        former = self.before_suspend
        if former is not None and not self.claimed:
            assert now == 0, "no worker starts before the group is claimed"
            return
        self.before_suspend = None
        if self.scaling["mode"] == "Fixed":
            wanted = self.scaling["replicas"]
            assert now == wanted or (not self.claimed and now == (before or 0))
        elif self.scaling["mode"] == "Automatic":
            assert now == decided
            assert former is None or now >= min(former, MOST), "the former number comes back"
        elif former is not None:
            assert now == max(1, former)
        else:
            assert now == (DEFAULT if before is None else before)

    def observation(self) -> Observation:
        changes = {
            "spec.suspend": self.suspend,
            "spec.groups.0.scaling": self.scaling,
            "spec.groups.0.worker.handler": f"handlers:v{self.handler}",
        }
        seen = observe(
            pipeline(changes),
            children=dict(self.children),
            clock=self.clock,
            history=self.history,
            backlog=backlog(delays=group_backlog(self.ready)),
        )
        return seen if self.claimed else replace(seen, claims={})

    def differs(self, apply: Apply) -> bool:
        known = self.children.get(apply.ref)
        return known is None or bool(differences(apply.manifest, known))

    def stored(self, child: Manifest) -> Manifest:
        """As the API server shows it: our annotations, and whoever owns the replicas."""
        shown = copy.deepcopy(child)
        annotations = shown["metadata"].get("annotations", {})
        owned = {f"f:{name}": {} for name in annotations}
        ours = {"f:metadata": {"f:annotations": owned}} if owned else {}
        entries = [{"manager": OWN, "operation": "Apply", "fieldsV1": ours}]
        if shown["kind"] == "Deployment":
            assert self.replicas is not None
            shown["spec"]["replicas"] = self.replicas.value
            entries += self.replicas.managed_fields()
        shown["metadata"]["managedFields"] = entries
        return shown


Replicas.TestCase.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
TestReplicasNeverJump = Replicas.TestCase
