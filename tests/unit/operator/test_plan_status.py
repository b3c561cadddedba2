"""What people read: conditions by kstatus, counts, and when a change is worth a write."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.observations import (
    NOW,
    SETTINGS,
    backlog,
    condition,
    group_backlog,
    observe,
    pipeline,
    pod,
    settled,
    stamp,
)

from headrace.streams.backlog import Quality
from headrace.streams.durability import Danger, Risk
from headrace_api.v1alpha1 import Reason, Status
from headrace_operator.plan import Plan, plan
from headrace_operator.plan.observation import (
    ChildRef,
    ClaimState,
    FieldConflict,
    GroupClaim,
    Observation,
)
from headrace_operator.plan.status import due

G = "spec.groups.0"
TWO = {"spec.groups.1": {"name": "audit", "worker": {"handler": "handlers:audit"}}}
DEPLOYMENT = ChildRef("Deployment", "flights-delays")
WORK = backlog(delays=group_backlog(150, pending=30))


def fixed(replicas: int) -> dict[str, Any]:
    return {f"{G}.scaling": {"mode": "Fixed", "replicas": replicas}}


def ready(made: Plan) -> tuple[str, str]:
    found = condition(made, "Ready")
    assert found is not None
    return found["status"], found["reason"]


def message(made: Plan, kind: str = "Ready") -> str:
    found = condition(made, kind)
    assert found is not None
    return str(found["message"])


CRASHED = {
    "restartCount": 5,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}
NO_IMAGE = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
NO_CONFIG = {
    "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret db missing"}}
}
UNSCHEDULABLE = pod("a", ready=False) | {
    "status": {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/5 nodes are available"}
        ],
    }
}
CREATING = pod("a", ready=False, state={"waiting": {"reason": "ContainerCreating"}})
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}


def with_deployment_condition(found: dict[str, Any]) -> Observation:
    seen = settled(pipeline(fixed(2)), pods=(pod("a"), pod("b")))
    changed = {**seen.children[DEPLOYMENT]}
    changed["status"] = {**changed["status"], "conditions": [found]}
    return replace(seen, children={**seen.children, DEPLOYMENT: changed})


def two_fixed(**facts: Any) -> Observation:
    return settled(pipeline(fixed(2)), **facts)


# (the world, Ready's status, its reason, Stalled or Reconciling, words of the message)
STATES: dict[str, tuple[Observation, str, str, str | None, str]] = {
    "nothing to do": (settled(pipeline()), "True", "ScaledToZero", None, "next entry starts"),
    "workers at work": (
        settled(pipeline(), backlog=WORK, pods=(pod("a"), pod("b"))),
        "True",
        "Available",
        None,
        "",
    ),
    "waking from zero is no trouble": (
        settled(pipeline(), backlog=WORK, pods=(pod("a", ready=False, age=30),)),
        "True",
        "Available",
        None,
        "",
    ),
    "suspended": (
        settled(pipeline({"spec.suspend": True})),
        "True",
        "Suspended",
        None,
        "set spec.suspend to false",
    ),
    "suspended, workers still ending": (
        settled(pipeline({"spec.suspend": True}), pods=(pod("a"),)),
        "False",
        "Progressing",
        "Reconciling",
        "are ending",
    ),
    "just created": (
        observe(pipeline(), claims={}),
        "False",
        "Progressing",
        "Reconciling",
        "being set up",
    ),
    "a fixed group without a ready worker": (
        two_fixed(pods=(pod("a", ready=False, age=30),)),
        "False",
        "Progressing",
        "Reconciling",
        "no worker of delays is ready yet",
    ),
    "a new image rolls out": (
        replace(
            two_fixed(pods=(pod("a"), pod("b"))),
            pipeline=pipeline(fixed(2) | {f"{G}.worker.image": "acme/x:2"}, generation=2),
        ),
        "False",
        "Progressing",
        "Reconciling",
        "being rolled out",
    ),
    "Redis is gone": (
        two_fixed(backlog=None, redis_error="Connection refused.", pods=(pod("a"), pod("b"))),
        "False",
        "RedisUnreachable",
        "Reconciling",
        "Redis at redis.default.svc:6379 cannot be reached: Connection refused.",
    ),
    "Redis refuses the password": (
        two_fixed(backlog=None, redis_error="WRONGPASS invalid", redis_refused=True),
        "False",
        "RedisRefused",
        "Reconciling",
        "the Secret of spec.redis.credentialsSecretRef holds other credentials",
    ),
    "Redis refuses a command": (
        two_fixed(backlog=None, redis_error="NOPERM no permissions", redis_refused=True),
        "False",
        "RedisRefused",
        "Reconciling",
        "grant this user the rights",
    ),
    "Redis is too old": (
        two_fixed(backlog=None, redis_error="unknown command 'EVALSHA_RO'", redis_refused=True),
        "False",
        "RedisTooOld",
        "Reconciling",
        "Headrace needs Redis 7.0, Valkey 8 or newer",
    ),
    "a slot has moved": (
        two_fixed(claims={"delays": GroupClaim(ClaimState.FAILED, "MOVED 866 10.0.0.7:6379")}),
        "False",
        "RedisRefused",
        "Reconciling",
        "redis.mode Cluster follows",
    ),
    "a quota of the namespace refuses a child": (
        two_fixed(rejections={DEPLOYMENT: 'cronjobs "x" is forbidden: exceeded quota: team'}),
        "False",
        "Forbidden",
        "Stalled",
        "exceeded quota: team. Ask whoever runs the cluster",
    ),
    "workers that nobody can schedule, woken from 0": (
        settled(pipeline(), backlog=WORK, pods=(UNSCHEDULABLE,)),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "no worker of delays has become ready in 120 s: pod a cannot be scheduled: 0/5 nodes",
    ),
    "workers whose volume is missing": (
        settled(pipeline(), backlog=WORK, pods=(CREATING,)),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "pod a waits: ContainerCreating; see kubectl describe pod a",
    ),
    "workers that run and are never ready": (
        settled(pipeline(), backlog=WORK, pods=(pod("a", ready=False, age=200),)),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "runs and is not ready: see kubectl logs a",
    ),
    "unready workers beside a ready one": (
        settled(pipeline(), backlog=WORK, pods=(CREATING, pod("b"))),
        "True",
        "Available",
        None,
        "workers follow the spec",
    ),
    "nothing read yet": (
        settled(pipeline(), backlog=None),
        "False",
        "Progressing",
        "Reconciling",
        "the backlog is not read yet",
    ),
    "at 0 with a backlog that is unknown": (
        settled(pipeline(), backlog=backlog(delays=group_backlog(None))),
        "True",
        "ScaledToZero",
        None,
        "while the backlog is unknown none are started",
    ),
    "fixed at 0": (
        settled(pipeline(fixed(0)), backlog=None),
        "True",
        "ScaledToZero",
        None,
        "the spec asks for no workers",
    ),
    "the key is no stream": (
        two_fixed(backlog=replace(backlog(), error="WRONGTYPE Operation against a key")),
        "False",
        "WrongType",
        "Reconciling",
        "stream flights",
    ),
    "another pipeline's group": (
        observe(
            pipeline(), claims={"delays": GroupClaim(ClaimState.ANOTHER, owner="default/other")}
        ),
        "False",
        "GroupConflict",
        "Stalled",
        "claimed by pipeline default/other: give this group another consumerGroup",
    ),
    "a child the API server refuses": (
        two_fixed(rejections={DEPLOYMENT: "spec.replicas: too many"}),
        "False",
        "InvalidChild",
        "Stalled",
        "refuses Deployment flights-delays: spec.replicas: too many",
    ),
    "a field that somebody takes back": (
        two_fixed(conflicts=(FieldConflict(DEPLOYMENT, "spec.replicas", "kubectl"),)),
        "False",
        "Conflict",
        "Reconciling",
        "kubectl keeps changing spec.replicas",
    ),
    "no image": (
        two_fixed(pods=(pod("a", ready=False, **NO_IMAGE),)),
        "False",
        "ImagePullFailed",
        "Reconciling",
        "no such image",
    ),
    "a container that cannot be made": (
        two_fixed(pods=(pod("a", ready=False, **NO_CONFIG),)),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "secret db missing",
    ),
    "a worker that crashes": (
        two_fixed(pods=(pod("a", ready=False, **CRASHED), pod("b"))),
        "False",
        "WorkersCrashing",
        "Reconciling",
        "1 of 2 workers of delays keep crashing, exit code 1 (Error): see kubectl logs",
    ),
    "workers that never get ready": (
        with_deployment_condition(STUCK),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "kubectl describe deployment flights-delays",
    ),
    "a quota": (
        with_deployment_condition(QUOTA),
        "False",
        "WorkersNotReady",
        "Reconciling",
        "exceeded quota",
    ),
}


@pytest.mark.parametrize(
    ("seen", "status", "reason", "beside", "words"), STATES.values(), ids=STATES
)
def test_ready_says_what_is_and_what_to_do(
    seen: Observation, status: str, reason: str, beside: str | None, words: str
) -> None:
    made = plan(seen, SETTINGS)
    assert ready(made) == (status, reason)
    assert words in message(made)
    present = {k for k in ("Stalled", "Reconciling") if condition(made, k) is not None}
    assert present == ({beside} if beside else set())
    assert all(c["reason"] in set(Reason) for c in made.status["conditions"])
    Status.model_validate(made.status)


def test_the_gravest_problem_is_the_reason_and_all_are_in_the_message() -> None:
    seen = two_fixed(backlog=None, redis_error="down", rejections={DEPLOYMENT: "too many replicas"})
    made = plan(seen, SETTINGS)
    assert ready(made)[1] == "InvalidChild"
    assert "down" in message(made)


def test_a_short_run_between_two_crashes_is_still_a_crash_loop() -> None:
    running = CRASHED | {"state": {"running": {"startedAt": "2027-01-15T07:59:50Z"}}}
    seen = two_fixed(pods=(pod("a", **running),))
    assert ready(plan(replace(seen, now=NOW), SETTINGS))[1] == "WorkersCrashing"
    assert ready(plan(replace(seen, now=NOW + 120), SETTINGS))[1] == "Available"


def test_a_kubelet_whose_clock_is_ahead_makes_no_crash_loop() -> None:
    ahead = {"restartCount": 3, "state": {"running": {"startedAt": "2027-01-15T08:10:00Z"}}}
    seen = two_fixed(pods=(pod("a", **ahead),))
    assert ready(plan(replace(seen, now=NOW), SETTINGS)) == ("True", "Available")


def test_no_message_of_a_condition_but_scaling_active_holds_figures_of_the_backlog() -> None:
    """A condition is written at once, so figures in its message would be, too."""
    subject = pipeline({"spec.stream.trim": {"maxLength": 10}})
    slow = group_backlog(900, floor_id="1700000000000-0")

    def messages(length: int) -> dict[str, str]:
        stream = replace(backlog(delays=replace(slow, lag=length)), length=length)
        made = plan(settled(subject, backlog=stream, pods=(pod("a"),)), SETTINGS)
        found = {c["type"]: c["message"] for c in made.status["conditions"]}
        assert "TrimHeldBack" in found
        return {kind: said for kind, said in found.items() if kind != "ScalingActive"}

    assert messages(900) == messages(901)


def test_scaling_is_not_active_while_the_number_cannot_be_written() -> None:
    refused = observe(pipeline(), backlog=WORK, rejections={DEPLOYMENT: "too much memory"})
    found = condition(plan(refused, SETTINGS), "ScalingActive")
    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "InvalidChild")


def test_an_unknown_backlog_is_said_and_its_numbers_are_absent() -> None:
    dark = backlog(delays=group_backlog(None, source="lag is nil and counting was cut short"))
    made = plan(settled(pipeline(), backlog=dark), SETTINGS)
    known = condition(made, "BacklogKnown")
    assert known is not None
    assert (known["status"], known["reason"]) == ("False", "BacklogUnknown")
    assert "counting was cut short" in known["message"]
    assert "lag" not in made.status
    assert "lag" not in made.status["groups"][0]
    scaling = condition(made, "ScalingActive")
    assert scaling is not None
    assert (scaling["status"], scaling["reason"]) == ("False", "BacklogUnknown")


def test_without_redis_no_number_of_before_stays() -> None:
    made = plan(settled(pipeline(), backlog=WORK, redis_error="down"), SETTINGS)
    for name in ("lag", "pending", "deadLetters", "stream"):
        assert name not in made.status


def test_an_upper_bound_is_called_one() -> None:
    upper = backlog(delays=group_backlog(7, quality=Quality.UPPER))
    made = plan(settled(pipeline(), backlog=upper), SETTINGS)
    known = condition(made, "BacklogKnown")
    assert known is not None
    assert (known["status"], known["reason"]) == ("True", "UpperBound")
    assert made.status["groups"][0]["lagSource"] == "upper: lag of XINFO GROUPS"


def test_a_group_ahead_of_its_stream_is_a_condition_and_no_empty_backlog() -> None:
    ahead = backlog(delays=group_backlog(0, ahead_of_stream=True))
    known = condition(plan(settled(pipeline(), backlog=ahead), SETTINGS), "BacklogKnown")
    assert known is not None
    assert (known["status"], known["reason"]) == ("False", "GroupAheadOfStream")


QUIET = backlog(delays=group_backlog(0))
DARK = backlog(delays=group_backlog(None))


@pytest.mark.parametrize(
    ("scaling", "facts", "status", "reason"),
    [
        ({}, {"backlog": WORK}, "True", "FollowingBacklog"),
        ({"maxReplicas": 1}, {"backlog": WORK}, "True", "AtMaximum"),
        ({"minReplicas": 1, "maxReplicas": 1}, {"backlog": QUIET}, "True", "FollowingBacklog"),
        ({"mode": "Fixed", "replicas": 2}, {"backlog": WORK}, "False", "Fixed"),
        ({"mode": "External"}, {"backlog": WORK}, "False", "External"),
        ({}, {"backlog": DARK}, "False", "BacklogUnknown"),
        ({"fallbackReplicas": 2}, {"backlog": DARK}, "False", "BacklogUnknown"),
        ({}, {"pods": (pod("a", ready=False, **CRASHED),), "backlog": WORK}, "False",
         "WorkersCrashing"),
        ({}, {"pods": (pod("a", ready=False, **CRASHED), pod("b")), "backlog": WORK}, "True",
         "FollowingBacklog"),
        ({}, {"claims": {"delays": GroupClaim(ClaimState.ANOTHER)}, "backlog": WORK}, "False",
         "GroupConflict"),
        ({}, {"claims": {}, "backlog": WORK}, "False", "Progressing"),
    ],
)  # fmt: skip
def test_scaling_active_says_who_decides(
    scaling: dict[str, Any], facts: dict[str, Any], status: str, reason: str
) -> None:
    made = plan(settled(pipeline({f"{G}.scaling": scaling}), **facts), SETTINGS)
    found = condition(made, "ScalingActive")
    assert found is not None
    assert (found["status"], found["reason"]) == (status, reason)


def test_scaling_active_says_fallback_once_it_is_there_and_suspended_while_it_is() -> None:
    given = {f"{G}.scaling": {"fallbackReplicas": 2}}
    dark = settled(pipeline(given), backlog=DARK)
    later = plan(replace(dark, clock=dark.clock + 31), SETTINGS)
    assert condition(later, "ScalingActive")["reason"] == "Fallback"  # type: ignore[index]
    stopped = plan(settled(pipeline({"spec.suspend": True})), SETTINGS)
    assert condition(stopped, "ScalingActive")["reason"] == "Suspended"  # type: ignore[index]


def test_external_at_0_says_that_an_hpa_sleeps_there() -> None:
    seen = settled(pipeline(fixed(0)))
    made = plan(replace(seen, pipeline=pipeline({f"{G}.scaling": {"mode": "External"}})), SETTINGS)
    assert "kubectl scale deployment flights-delays" in message(made, "ScalingActive")


def test_a_stream_over_its_bound_names_the_group_that_holds_it() -> None:
    subject = pipeline({"spec.stream.trim": {"maxLength": 100}})
    slow = group_backlog(900, floor_id="1700000000000-0")
    fast = group_backlog(0, floor_id="1700000009999-1")
    held = plan(settled(subject, backlog=backlog(delays=slow)), SETTINGS)
    assert "waits for delays" in message(held, "TrimHeldBack")
    free = plan(settled(subject, backlog=backlog(delays=fast)), SETTINGS)
    assert condition(free, "TrimHeldBack") is None


def test_the_trim_itself_tells_of_groups_that_no_poll_sees() -> None:
    subject = pipeline({"spec.stream.trim": {"maxLength": 100}})
    fast = group_backlog(0, floor_id="1700000009999-1")
    report = {"completedAt": "2026-11-27T10:00:00Z", "removed": 0, "length": 1000}

    def told(held_back_by: str, first_id: str | None = "1700000000000-0") -> str | None:
        read = replace(backlog(delays=fast), first_id=first_id)
        status = {"trim": {**report, "heldBackBy": held_back_by}}
        found = condition(plan(settled(subject, backlog=read, live_status=status), SETTINGS),
                          "TrimHeldBack")  # fmt: skip
        return found["message"] if found else None

    assert "waits for audit" in (told("audit") or ""), "a group of another pipeline"
    assert "waits for delays" in (told("delays", None) or ""), "its entries are large"
    assert told("delays") is None, "it has caught up since"


def test_what_begins_beside_ready_is_an_event_once() -> None:
    subject = pipeline({"spec.stream.trim": {"maxLength": 100}})
    slow = backlog(delays=group_backlog(900, floor_id="1700000000000-0"))
    calm = written(settled(subject))
    held = replace(calm, backlog=slow)
    (event,) = (e for e in plan(held, SETTINGS).events if e.reason == "HeldBackByGroup")
    assert event.type == "Warning"
    assert event.message.startswith("the stream is over its bound: trimming waits for delays.")
    assert plan(written(held), SETTINGS).events == ()
    over = plan(replace(written(held), backlog=calm.backlog), SETTINGS)
    assert [e for e in over.events if e.type == "Warning"] == []
    risk = replace(calm, risk=Risk(Danger.EVICTABLE, "it may be evicted", "set noeviction"))
    assert [e.reason for e in plan(risk, SETTINGS).events] == ["StreamEvictable"]
    graver = replace(written(risk), risk=Risk(Danger.WRITE_FAILED, "no disk", "see its log"))
    assert [e.reason for e in plan(graver, SETTINGS).events] == ["DiskWriteFailed"]


@pytest.mark.parametrize("danger", Danger)
def test_a_redis_that_can_lose_events_is_told_beside_ready(danger: Danger) -> None:
    risk = Risk(danger, "a crash loses events", "add a replica")
    made = plan(settled(pipeline(), risk=risk), SETTINGS)
    assert message(made, "PersistenceRisk").startswith("a crash loses events; add a replica, or")
    assert "docs/runbooks/HeadracePersistenceRisk.md" in message(made, "PersistenceRisk")
    assert ready(made)[0] == "True"
    silent = settled(pipeline({"spec.redis.dataLoss": "Accept"}), risk=risk)
    assert condition(plan(silent, SETTINGS), "PersistenceRisk") is None
    assert condition(plan(settled(pipeline()), SETTINGS), "PersistenceRisk") is None


def test_an_orphan_holds_trimming_back_until_the_advice_was_followed() -> None:
    subject = {"spec.stream.trim": {"maxLength": 100}}
    orphan = {"orphanedGroups": [{"name": "audit", "consumerGroup": "audit"}]}
    fast = group_backlog(0, floor_id="1700000009999-1")
    slow = group_backlog(900, floor_id="1700000000000-0")

    def held(changes: dict[str, Any] | None = None, **groups: Any) -> bool:
        read = backlog(delays=fast, **groups)
        seen = settled(pipeline(subject | (changes or {})), backlog=read, live_status=orphan)
        return condition(plan(seen, SETTINGS), "TrimHeldBack") is not None

    assert held(), "nothing is known of it but that it was kept"
    assert held(audit=slow)
    assert not held(audit=fast)
    assert not held(audit=group_backlog(None, exists=False)), "XGROUP DESTROY"
    ignoring = {"spec.stream.trim": {"maxLength": 100, "ignoreGroups": ["audit"]}}
    assert not held(ignoring, audit=slow)


def job(kind: str, age: float, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Job",
        "metadata": {
            "name": f"flights-{kind}-{age:.0f}",
            "uid": "j",
            "labels": {"headrace.dev/job": kind},
            "creationTimestamp": stamp(NOW - age),
        },
        "spec": {"template": {"spec": {}}},
        "status": status,
    }


FAILED = {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


@pytest.mark.parametrize(
    ("jobs", "reason", "words"),
    [
        ([job("trim", 900, **FAILED)], "JobFailed", "DeadlineExceeded): see kubectl logs job/"),
        ([job("trim", 900, **FAILED), job("trim", 60, **DONE)], None, ""),
        ([job("trim", 900, **DONE), job("trim", 60, **FAILED)], "JobFailed", "flights-trim-60"),
        ([job("trim", 900)], "JobNotStarted", "gets no pod: see kubectl describe job"),
        ([job("trim", 900, active=1)], None, ""),
        ([job("trim", 30)], None, ""),
        ([job("reclaim", 900, **FAILED)], None, ""),
    ],
)
def test_a_failed_trim_is_a_condition_until_one_succeeds(
    jobs: list[dict[str, Any]], reason: str | None, words: str
) -> None:
    seen = settled(pipeline({"spec.stream.trim": {"maxLength": 10}}))
    there = {ChildRef("Job", one["metadata"]["name"]): one for one in jobs}
    made = plan(replace(seen, children={**seen.children, **there}), SETTINGS)
    found = condition(made, "TrimFailed")
    assert (found["reason"] if found else None) == reason
    assert words in (found["message"] if found else "")
    Status.model_validate(made.status)


def test_a_failed_reclaim_is_a_condition_of_its_own() -> None:
    seen = settled(pipeline())
    failed = {ChildRef("Job", "r"): job("reclaim", 60, **FAILED)}
    made = plan(replace(seen, children={**seen.children, **failed}), SETTINGS)
    assert condition(made, "ReclaimFailed") is not None
    assert condition(made, "TrimFailed") is None


def test_counts_add_up_over_the_groups() -> None:
    seen = settled(
        pipeline(TWO),
        backlog=backlog(delays=group_backlog(150, pending=30), audit=group_backlog(10)),
        pods=(pod("a"), pod("b", ready=False), pod("c", "audit")),
    )
    status = plan(seen, SETTINGS).status
    assert status["workers"] == "2/3"
    assert (status["replicas"], status["readyReplicas"]) == (3, 2)
    assert (status["lag"], status["pending"], status["deadLetters"]) == (160, 30, 0)
    assert [g["desiredReplicas"] for g in status["groups"]] == [2, 1]
    assert status["groups"][1]["deployment"] == "flights-audit"


def test_a_count_beyond_what_the_schema_takes_is_cut() -> None:
    huge = replace(WORK, entries_added=2**63 - 1)
    made = plan(settled(pipeline(), backlog=huge), SETTINGS)
    assert made.status["stream"]["entriesAdded"] == 2**53
    Status.model_validate(made.status)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m"), (7_199, "1h59m"), (7_200, "2h"), (112_000, "31h"), (2_591_999, "719h")],
)
def test_memory_and_when_it_is_full(seconds: float, text: str) -> None:
    seen = settled(pipeline(), stream_bytes=295_000, memory_full_in=seconds)
    made = plan(seen, SETTINGS)
    stream = made.status["stream"]
    assert (stream["bytes"], stream["memoryFullIn"]) == (295_000, text)
    Status.model_validate(made.status)
    unknown = plan(settled(pipeline()), SETTINGS).status["stream"]
    assert unknown.keys() & {"bytes", "memoryFullIn"} == set()


def test_one_unknown_group_makes_the_sum_unknown() -> None:
    seen = settled(
        pipeline(TWO), backlog=backlog(delays=group_backlog(150), audit=group_backlog(None))
    )
    status = plan(seen, SETTINGS).status
    assert "lag" not in status
    assert status["groups"][0]["lag"] == 150


def test_last_transition_time_stays_while_the_status_does() -> None:
    first = plan(settled(pipeline()), SETTINGS).status
    later = settled(pipeline(), live_status=first, now=NOW + 500)
    assert plan(later, SETTINGS).status["conditions"] == first["conditions"]
    broken = replace(later, redis_error="down")
    changed = plan(broken, SETTINGS)
    assert (
        condition(changed, "Ready")["lastTransitionTime"]
        != (  # type: ignore[index]
            first["conditions"][0]["lastTransitionTime"]
        )
    )


# --- is it worth a write? ----------------------------------------------------------------------


def written(seen: Observation, ago: float | None = None) -> Observation:
    """The same world after its status was written `ago` seconds before."""
    when = None if ago is None else seen.clock - ago
    return replace(seen, live_status=plan(seen, SETTINGS).status, status_written_at=when)


def test_a_quiet_pipeline_writes_nothing() -> None:
    seen = written(settled(pipeline()), ago=1000)
    for seconds in (0, 60, 86_400):
        later = replace(seen, now=seen.now + seconds, clock=seen.clock + seconds)
        assert plan(later, SETTINGS).status_due is None


def test_news_is_written_at_once() -> None:
    seen = written(settled(pipeline()), ago=0.1)
    assert plan(replace(seen, redis_error="down"), SETTINGS).status_due == 0.0
    assert plan(replace(seen, pods=(pod("a"),)), SETTINGS).status_due == 0.0


def test_moving_figures_are_written_every_ten_seconds() -> None:
    seen = written(settled(pipeline(), backlog=WORK), ago=4)
    moved = replace(seen, backlog=backlog(delays=group_backlog(160, pending=31)))
    made = plan(moved, SETTINGS)
    assert made.status_due == pytest.approx(6.0)
    assert made.requeue_after is not None
    assert made.requeue_after <= 6.0
    assert plan(replace(moved, clock=moved.clock + 6), SETTINGS).status_due == 0.0


def test_an_age_that_only_grows_is_written_when_it_has_doubled() -> None:
    def at(age: int) -> dict[str, Any]:
        return {"groups": [{"name": "a", "oldestAgeSeconds": age}]}

    assert due(at(1_100), at(1_030), 1_000.0) is None
    assert due(at(2_100), at(1_030), 1_000.0) == 0.0


def test_when_memory_is_full_is_written_when_it_has_halved() -> None:
    def at(text: str) -> dict[str, Any]:
        return {"stream": {"memoryFullIn": text}}

    assert due(at("20h"), at("31h"), 1_000.0) is None, "a shared Redis wakes all its pipelines"
    assert due(at("14h"), at("31h"), 1_000.0) == 0.0
    assert due(at("14h"), {"stream": {}}, 1_000.0) == 0.0
    assert due(at("14h"), at("soon"), 1_000.0) == 0.0, "whoever wrote that"


def test_a_change_of_ready_is_an_event_and_the_same_again_is_none() -> None:
    seen = written(settled(pipeline()))
    assert plan(seen, SETTINGS).events == ()
    (event,) = plan(replace(seen, redis_error="down"), SETTINGS).events
    assert (event.type, event.reason) == ("Warning", "RedisUnreachable")


def test_scaling_is_an_event_with_its_reason() -> None:
    seen = written(settled(pipeline()))
    (rescale,) = plan(replace(seen, backlog=WORK), SETTINGS).rescales
    assert rescale.event.message == "delays: 0 to 2 workers: 180 ready, 100 for each worker"
    assert (rescale.child, rescale.cause, rescale.direction) == (DEPLOYMENT, "Backlog", "up")
    assert plan(seen, SETTINGS).rescales == ()
