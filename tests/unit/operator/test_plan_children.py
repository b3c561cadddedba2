"""Children: whose they are, which change rolls which pods, what is kept and what goes."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from tests.support.observations import (
    OURS,
    SETTINGS,
    applied,
    backlog,
    child,
    condition,
    group_backlog,
    live,
    observe,
    pipeline,
    pod,
    settled,
)

from headrace_operator.plan import (
    Delete,
    DestroyGroup,
    EnsureGroup,
    Plan,
    ReleaseGroup,
    Scale,
    plan,
)
from headrace_operator.plan.observation import (
    ChildRef,
    ClaimState,
    GroupClaim,
    Observation,
    References,
    SeenReference,
)
from headrace_operator.reconcile.referenced_objects import Fetched

G = "spec.groups.0"
TWO = {"spec.groups.1": {"name": "audit", "worker": {"handler": "handlers:audit"}}}


def fixed(replicas: int) -> dict[str, Any]:
    return {f"{G}.scaling": {"mode": "Fixed", "replicas": replicas}}


def template(made: Plan, name: str) -> Any:
    return child(made, "Deployment", name)["spec"]["template"]


# (what changes, the Deployments whose pods it rolls)
BOTH = {"flights-delays", "flights-audit"}
ROLLS: list[tuple[dict[str, Any], set[str]]] = [
    ({"spec.suspend": True}, set()),
    ({"spec.deletionPolicy": "Delete"}, set()),
    ({"spec.stream.trim": {"maxLength": 1000}}, set()),
    ({f"{G}.scaling": {"maxReplicas": 50}}, set()),
    ({f"{G}.scaling": {"mode": "Fixed", "replicas": 2}}, set()),
    ({f"{G}.scaling": {"mode": "External"}}, set()),
    ({f"{G}.reclaim": {"schedule": "0 * * * *"}}, set()),
    ({f"{G}.reclaim": {"count": 10}}, {"flights-delays"}),
    ({"spec.redis.endpoints": ["other:6379"]}, BOTH),
    ({"spec.redis.database": 1}, BOTH),
    ({"spec.redis.credentialsSecretRef": {"name": "redis-auth"}}, BOTH),
    ({"spec.redis.tls": {}}, BOTH),
    ({"spec.deadLetter": {"stream": "dead"}}, BOTH),
    ({"spec.deadLetter": {"maxLength": 5}}, BOTH),
    ({f"{G}.start": {"from": "End"}}, {"flights-delays"}),
    ({f"{G}.worker.handler": "handlers:other"}, {"flights-delays"}),
    ({f"{G}.worker.codeConfigMapRef": {"name": "code"}}, {"flights-delays"}),
    ({f"{G}.worker.image": "acme/flights:2"}, {"flights-delays"}),
    ({f"{G}.worker.concurrency": 4}, {"flights-delays"}),
    ({f"{G}.worker.batchSize": 4}, {"flights-delays"}),
    ({f"{G}.worker.env": [{"name": "A", "value": "b"}]}, {"flights-delays"}),
    ({f"{G}.worker.resources": {"limits": {"memory": "1Gi"}}}, {"flights-delays"}),
    ({f"{G}.worker.podTemplate": {"spec": {"nodeSelector": {"a": "b"}}}}, {"flights-delays"}),
    ({f"{G}.worker.podTemplate": {"metadata": {"labels": {"a": "b"}}}}, {"flights-delays"}),
    ({f"{G}.delivery": {"handlerTimeout": "40s"}}, {"flights-delays"}),
    ({f"{G}.delivery": {"maxRetries": 9}}, {"flights-delays"}),
    ({f"{G}.outputs": [{"stream": "late"}]}, {"flights-delays"}),
    ({"spec.groups.2": {"name": "third", "worker": {"handler": "handlers:app"}}}, set()),
]


@pytest.mark.parametrize(("change", "rolled"), ROLLS, ids=[str(c) for c, _ in ROLLS])
def test_a_change_of_the_spec_rolls_exactly_these_deployments(
    change: dict[str, Any], rolled: set[str]
) -> None:
    before = plan(observe(pipeline(TWO)), SETTINGS)
    after = plan(observe(pipeline(TWO | change)), SETTINGS)
    assert {name for name in BOTH if template(before, name) != template(after, name)} == rolled


def test_unwritten_and_written_defaults_are_the_same_children() -> None:
    written = {
        f"{G}.consumerGroup": "delays",
        f"{G}.worker.concurrency": 16,
        f"{G}.delivery": {"handlerTimeout": "30s", "backoff": {"max": "1m"}},
        f"{G}.scaling": {"mode": "Automatic", "maxReplicas": 10},
    }
    assert (
        plan(observe(pipeline()), SETTINGS).applies
        == plan(observe(pipeline(written)), SETTINGS).applies
    )


# --- whose is it ---------------------------------------------------------------------------


def somebody_elses(kind: str, name: str, owner: str | None = None) -> dict[ChildRef, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": "theirs", "resourceVersion": "1"}
    if owner is not None:
        # The same name under the same label, but another pipeline: only the uid tells.
        metadata["ownerReferences"] = [
            {"kind": "StreamPipeline", "name": "flights", "uid": owner, "controller": True}
        ]
    template = {"metadata": {}, "spec": {}}
    spec = {"template": template, "jobTemplate": {"spec": {"template": template}}}
    return {ChildRef(kind, name): {"kind": kind, "metadata": metadata, "spec": spec}}


@pytest.mark.parametrize("owner", [None, "another-uid"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ServiceAccount", "flights-headrace"),
        ("Deployment", "flights-delays"),
        ("CronJob", "flights-delays-reclaim"),
        ("CronJob", "flights-trim"),
    ],
)
def test_a_strangers_object_is_left_alone_and_named(
    kind: str, name: str, owner: str | None
) -> None:
    subject = pipeline({"spec.stream.trim": {"maxLength": 1000}})
    made = plan(observe(subject, children=somebody_elses(kind, name, owner)), SETTINGS)
    assert ChildRef(kind, name) not in {a.ref for a in made.applies}
    assert not made.deletes
    stalled = condition(made, "Stalled")
    assert stalled is not None
    assert stalled["reason"] == "NameConflict"
    assert f"{kind} {name}" in stalled["message"]


BUSY = backlog(delays=group_backlog(450))
DEPLOYMENT = ChildRef("Deployment", "flights-delays")


def test_without_its_service_account_no_pod_is_started() -> None:
    strangers = somebody_elses("ServiceAccount", "flights-headrace")
    assert plan(observe(pipeline(), children=strangers), SETTINGS).applies == ()


def test_without_its_service_account_what_runs_follows_the_backlog_all_the_same() -> None:
    running = settled(pipeline())
    strangers = somebody_elses("ServiceAccount", "flights-headrace")
    seen = replace(running, children={**running.children, **strangers}, backlog=BUSY)
    made = plan(seen, SETTINGS)
    assert [(scale.deployment, scale.replicas) for scale in made.scales] == [("flights-delays", 5)]
    assert made.applies == ()


def test_a_group_with_a_service_account_of_its_own_needs_not_ours() -> None:
    own = {f"{G}.worker.podTemplate": {"spec": {"serviceAccountName": "mine"}}}
    strangers = somebody_elses("ServiceAccount", "flights-headrace")
    made = plan(observe(pipeline(TWO | own), children=strangers), SETTINGS)
    assert [a.ref.name for a in made.applies if a.ref.kind == "Deployment"] == ["flights-delays"]


def refused(seen: Observation) -> Observation:
    """The spec got a template that the API server does not take."""
    changed = pipeline({f"{G}.worker.env": [{"name": "A", "value": "b"}]}, generation=2)
    return replace(seen, pipeline=changed, rejections={DEPLOYMENT: "requests over limits"})


def test_a_deployment_whose_new_template_is_refused_still_follows_the_backlog() -> None:
    seen = replace(refused(settled(pipeline())), backlog=BUSY)
    made = plan(seen, SETTINGS)
    assert [(scale.deployment, scale.replicas) for scale in made.scales] == [("flights-delays", 5)]
    assert DEPLOYMENT not in {a.ref for a in made.applies}
    scaling = condition(made, "ScalingActive")
    assert scaling is not None
    assert scaling["status"] == "True"
    after = replace(seen, children=applied(made, seen))
    again = plan(after, SETTINGS)
    assert again.scales == ()
    assert DEPLOYMENT in {a.ref for a in again.applies}, "the template is tried again"


def test_a_deployment_whose_template_is_refused_is_suspended_all_the_same() -> None:
    running = settled(pipeline(), backlog=BUSY)
    seen = refused(running)
    suspended = pipeline({"spec.suspend": True}, generation=3)
    made = plan(replace(seen, pipeline=suspended), SETTINGS)
    assert [(scale.deployment, scale.replicas) for scale in made.scales] == [("flights-delays", 0)]


def test_two_pipelines_whose_names_join_alike_want_different_deployments() -> None:
    def deployments(name: str, group: str) -> set[str]:
        made = plan(observe(pipeline({"metadata.name": name, f"{G}.name": group})), SETTINGS)
        return {a.ref.name for a in made.applies if a.ref.kind == "Deployment"}

    assert not deployments("a", "b-c") & deployments("a-b", "c")


def test_an_apply_carries_the_identity_that_was_observed_and_a_create_none() -> None:
    assert {(a.uid, a.resource_version) for a in plan(observe(pipeline()), SETTINGS).applies} == {
        (None, None)
    }
    for apply in plan(settled(pipeline()), SETTINGS).applies:
        assert apply.uid == f"uid-{apply.ref.kind}-{apply.ref.name}"
        assert apply.resource_version == "7"
        assert "uid" not in apply.manifest["metadata"]


def test_a_child_that_is_being_deleted_is_waited_for() -> None:
    seen = settled(pipeline())
    ref = ChildRef("Deployment", "flights-delays")
    going = copy.deepcopy(seen.children[ref])
    going["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    made = plan(replace(seen, children={**seen.children, ref: going}), SETTINGS)
    assert ref not in {a.ref for a in made.applies}
    ready = condition(made, "Ready")
    assert ready is not None
    assert "is being deleted" in ready["message"]


def test_a_settled_pipeline_wants_exactly_what_is_there() -> None:
    seen = settled(pipeline(TWO))
    made = plan(seen, SETTINGS)
    assert {a.ref: live(a.manifest) for a in made.applies} == seen.children
    assert (made.deletes, made.scales, made.group_operations) == ((), (), ())


# --- references ----------------------------------------------------------------------------

CODE = {f"{G}.worker.codeConfigMapRef": {"name": "code"}}
SECRET_ENV = {
    f"{G}.worker.env": [{"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]
}


def test_metadata_of_an_object_changes_no_digest_and_data_or_a_new_object_does() -> None:
    """External Secrets, reflectors and Argo CD annotate what they look after."""

    def digest(uid: str = "u", version: str = "1", **data: str) -> str:
        annotations = {"checked": version}
        metadata = {"uid": uid, "resourceVersion": version, "annotations": annotations}
        found = Fetched({"db": {"metadata": metadata, "data": data}}, {}).seen().secrets["db"]
        assert found is not None
        return found.digest

    assert digest(url="x") == digest(version="2", url="x")
    assert len({digest(url="x"), digest(url="y"), digest(uri="x"), digest("w", url="x")}) == 4


def seen_code(version: str) -> References:
    return References(config_maps={"code": SeenReference(version, frozenset({"h.py"}))})


def test_new_handler_code_rolls_the_workers() -> None:
    subject = pipeline(CODE)
    one, same, other = (
        template(plan(observe(subject, references=seen_code(v)), SETTINGS), "flights-delays")
        for v in ("1", "1", "2")
    )
    assert one == same
    assert one != other


def test_a_new_redis_password_rolls_nobody() -> None:
    subject = pipeline({"spec.redis.credentialsSecretRef": {"name": "auth"}})
    templates = [
        template(
            plan(
                observe(
                    subject,
                    references=References(
                        secrets={"auth": SeenReference(version, frozenset({"password"}))}
                    ),
                ),
                SETTINGS,
            ),
            "flights-delays",
        )
        for version in ("1", "2")
    ]
    assert templates[0] == templates[1]


def test_while_handler_code_is_missing_running_workers_are_not_rolled() -> None:
    running = settled(pipeline(CODE), references=seen_code("1"))
    gone = replace(running, references=References(config_maps={"code": None}))
    made = plan(gone, SETTINGS)
    assert template(made, "flights-delays") == template(plan(running, SETTINGS), "flights-delays")
    ready = condition(made, "Ready")
    assert ready is not None
    assert ready["reason"] == "ConfigMapNotFound"
    assert "create it" in ready["message"]


@pytest.mark.parametrize(
    ("secrets", "reason", "words"),
    [
        ({"db": None}, "SecretNotFound", "Secret db (groups[delays].worker.env[DB])"),
        ({"db": SeenReference("1", frozenset({"x"}))}, "KeyNotFound", "has no key url"),
    ],
)
def test_a_missing_secret_or_key_is_named(secrets: dict[str, Any], reason: str, words: str) -> None:
    seen = observe(pipeline(SECRET_ENV), references=References(secrets=secrets))
    ready = condition(plan(seen, SETTINGS), "Ready")
    assert ready is not None
    assert ready["reason"] == reason
    assert words in ready["message"]


# --- ConfigMaps are kept while anything names them ------------------------------------------


def with_old_config_map(seen: Observation, *holders: dict[str, Any]) -> Observation:
    """A ConfigMap of an earlier spec of ours, and who mounts it."""
    old = live(child(plan(observe(seen.pipeline), SETTINGS), "ConfigMap", config_map(seen)))
    old["metadata"]["name"] = "flights-delays-old"
    children = {**seen.children, ChildRef("ConfigMap", "flights-delays-old"): old}
    for holder in holders:
        children[ChildRef(holder["kind"], holder["metadata"]["name"])] = holder
    return replace(seen, children=children)


def config_map(seen: Observation) -> str:
    return next(ref.name for ref in seen.children if ref.kind == "ConfigMap")


def mounting(kind: str, name: str, **status: Any) -> dict[str, Any]:
    volumes = [{"name": "headrace-config", "configMap": {"name": "flights-delays-old"}}]
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": name, "labels": {}},
        "spec": {"template": {"metadata": {}, "spec": {"volumes": volumes}}},
        "status": status,
    }


def test_a_config_map_goes_when_nothing_names_it() -> None:
    made = plan(with_old_config_map(settled(pipeline())), SETTINGS)
    assert [d.ref.name for d in made.deletes] == ["flights-delays-old"]


@pytest.mark.parametrize(
    "holder",
    [mounting("ReplicaSet", "flights-delays-7d4b"), mounting("Job", "flights-delays-reclaim-1")],
    ids=["a ReplicaSet of the history", "an unfinished Job"],
)
def test_a_config_map_stays_while_something_names_it(holder: dict[str, Any]) -> None:
    assert plan(with_old_config_map(settled(pipeline()), holder), SETTINGS).deletes == ()


def test_a_finished_job_holds_no_config_map() -> None:
    done = mounting("Job", "j", conditions=[{"type": "Complete", "status": "True"}])
    made = plan(with_old_config_map(settled(pipeline()), done), SETTINGS)
    assert [d.ref.name for d in made.deletes] == ["flights-delays-old"]


# --- CronJobs ------------------------------------------------------------------------------


def reclaim_suspended(seen: Observation) -> bool:
    found = child(plan(seen, SETTINGS), "CronJob", "flights-delays-reclaim")
    return bool(found["spec"]["suspend"])


@pytest.mark.parametrize(
    ("facts", "workers", "suspended"),
    [
        ({"lag": 500}, 0, True),
        ({"lag": 0, "pending": 5}, 0, False),
        ({"lag": 0, "pending": 5}, 1, True),
        ({"lag": 0, "pending": 5, "parked": 5}, 0, True),
        ({"lag": 0, "pending": 5, "parked": 5, "due_now": 1}, 0, False),
        ({"lag": None, "pending": 5}, 0, False),
    ],
)
def test_the_reclaim_job_runs_only_for_entries_that_nobody_is_there_to_take(
    facts: dict[str, Any], workers: int, suspended: bool
) -> None:
    pods = tuple(pod(f"flights-delays-{n}") for n in range(workers))
    known = backlog(delays=group_backlog(**facts))
    assert reclaim_suspended(observe(pipeline(), backlog=known, pods=pods)) is suspended


def test_in_the_dark_the_reclaim_job_stays_as_it_is() -> None:
    pending = backlog(delays=group_backlog(0, pending=5))
    running = settled(pipeline(), backlog=pending)
    assert not reclaim_suspended(running)
    assert not reclaim_suspended(replace(running, backlog=None, redis_error="gone"))
    assert reclaim_suspended(replace(settled(pipeline()), backlog=None, redis_error="gone"))


def test_a_suspended_pipeline_suspends_its_cron_jobs() -> None:
    subject = pipeline({"spec.suspend": True, "spec.stream.trim": {"maxLength": 10}})
    pending = backlog(delays=group_backlog(0, pending=5))
    made = plan(observe(subject, backlog=pending), SETTINGS)
    jobs = [a.manifest for a in made.applies if a.ref.kind == "CronJob"]
    assert len(jobs) == 2
    assert all(job["spec"]["suspend"] for job in jobs)


def test_a_custom_group_has_a_reclaim_job_only_if_it_writes_one() -> None:
    custom = {f"{G}.worker": {"runtime": "Custom", "image": "acme/billing:1"}}
    without = plan(observe(pipeline(custom)), SETTINGS)
    assert not [a for a in without.applies if a.ref.kind == "CronJob"]
    written = plan(observe(pipeline(custom | {f"{G}.reclaim": {}})), SETTINGS)
    job = child(written, "CronJob", "flights-delays-reclaim")
    container = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == SETTINGS.worker_image
    assert container["args"] == ["reclaim"]


def test_a_trim_that_left_the_spec_takes_its_cron_job_along() -> None:
    seen = settled(pipeline({"spec.stream.trim": {"maxLength": 10}}))
    made = plan(replace(seen, pipeline=pipeline()), SETTINGS)
    assert [d.ref for d in made.deletes] == [ChildRef("CronJob", "flights-trim")]


def job_pod(made: Plan, name: str) -> Any:
    return child(made, "CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]


def test_the_trim_job_is_shaped_by_its_own_template() -> None:
    """A namespace with a quota wants resources, a mesh an annotation, a taint a toleration."""
    tolerations = [{"key": "batch", "operator": "Exists"}]
    metadata = {"annotations": {"sidecar.istio.io/inject": "false"}, "labels": {"team": "a"}}
    trim = {
        "maxLength": 10,
        "resources": {"limits": {"memory": "64Mi"}},
        "podTemplate": {"metadata": metadata, "spec": {"tolerations": tolerations}},
    }
    made = plan(observe(pipeline({"spec.stream.trim": trim})), SETTINGS)
    found = job_pod(made, "flights-trim")
    assert found["metadata"]["annotations"] == metadata["annotations"]
    assert found["metadata"]["labels"]["team"] == "a"
    assert found["spec"]["tolerations"] == tolerations
    (container,) = found["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "64Mi"}}
    assert container["args"] == ["trim"]


def test_the_reclaim_jobs_pod_has_the_workers_labels_and_annotations() -> None:
    metadata = {"annotations": {"sidecar.istio.io/inject": "false"}, "labels": {"team": "a"}}
    subject = pipeline({f"{G}.worker.podTemplate": {"metadata": metadata}})
    found = job_pod(plan(observe(subject), SETTINGS), "flights-delays-reclaim")
    assert found["metadata"]["annotations"] == metadata["annotations"]
    assert found["metadata"]["labels"]["team"] == "a"
    assert "headrace.dev/group" not in found["metadata"]["labels"]


def test_no_pod_has_a_fixed_uid() -> None:
    """OpenShift gives each namespace its own, and refuses others."""
    made = plan(observe(pipeline({"spec.stream.trim": {"maxLength": 10}})), SETTINGS)
    pods = [
        template(made, "flights-delays"),
        job_pod(made, "flights-trim"),
        job_pod(made, "flights-delays-reclaim"),
    ]
    for found in pods:
        context = found["spec"]["securityContext"]
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert "runAsUser" not in found["spec"]["containers"][0]["securityContext"]


def test_pods_of_jobs_never_match_a_deployments_selector() -> None:
    subject = pipeline({"spec.stream.trim": {"maxLength": 10}})
    made = plan(observe(subject), SETTINGS)
    selector = child(made, "Deployment", "flights-delays")["spec"]["selector"]["matchLabels"]
    for apply in made.applies:
        if apply.ref.kind == "CronJob":
            job = apply.manifest["spec"]["jobTemplate"]["spec"]["template"]
            assert not selector.items() <= job["metadata"]["labels"].items()


# --- groups in Redis, and groups that left ---------------------------------------------------


def test_a_new_group_is_claimed_and_a_lost_one_made_again() -> None:
    assert plan(observe(pipeline(), claims={}), SETTINGS).group_operations == (
        EnsureGroup("delays"),
    )
    lost = backlog(delays=group_backlog(None, exists=False))
    assert plan(observe(pipeline(), backlog=lost), SETTINGS).group_operations == (
        EnsureGroup("delays"),
    )
    assert plan(observe(pipeline()), SETTINGS).group_operations == ()


def test_a_claim_that_redis_lost_or_gave_to_another_is_made_again() -> None:
    for owner in (None, "airport/other/uid-2"):
        seen = observe(pipeline(), backlog=backlog(delays=group_backlog(0, owner=owner)))
        assert plan(seen, SETTINGS).group_operations == (EnsureGroup("delays"),)


def test_a_group_ahead_of_its_stream_is_set_back_unless_it_is_to_start_there() -> None:
    start = "9999999999999-0"
    ahead = backlog(delays=group_backlog(0, ahead_of_stream=True, last_delivered_id=start))
    assert plan(observe(pipeline(), backlog=ahead), SETTINGS).group_operations == (
        EnsureGroup("delays"),
    )
    told = pipeline({f"{G}.start": {"from": "Id", "id": start}})
    assert plan(observe(told, backlog=ahead), SETTINGS).group_operations == ()
    elsewhere = pipeline({f"{G}.start": {"from": "Id", "id": "9999999999998-0"}})
    assert plan(observe(elsewhere, backlog=ahead), SETTINGS).group_operations == (
        EnsureGroup("delays"),
    )


def left_behind(policy: str = "Retain", **facts: Any) -> Observation:
    """`audit` has left the spec; its Deployment is still there at 2 replicas."""
    both = TWO | {"spec.groups.1.scaling": {"mode": "Fixed", "replicas": 2}}
    seen = settled(pipeline(both))
    subject = pipeline({"spec.deletionPolicy": policy}, generation=2)
    return replace(seen, pipeline=subject, claims={"delays": OURS}, **facts)


AUDIT = ChildRef("Deployment", "flights-audit")


def test_a_group_that_left_ends_its_workers_first() -> None:
    seen = left_behind(pods=(pod("p", "audit"),))
    made = plan(seen, SETTINGS)
    meta = seen.children[AUDIT]["metadata"]
    assert made.scales == (
        Scale("flights-audit", 0, "headrace", meta["uid"], meta["resourceVersion"]),
    )
    assert made.group_operations == ()
    assert AUDIT not in {d.ref for d in made.deletes}
    assert ChildRef("CronJob", "flights-audit-reclaim") in {d.ref for d in made.deletes}


def test_an_edited_label_takes_no_deployment_for_another_groups() -> None:
    seen = settled(pipeline(fixed(3)))
    edited = copy.deepcopy(seen.children[DEPLOYMENT])
    edited["metadata"]["labels"]["headrace.dev/group"] = "other"
    made = plan(replace(seen, children={**seen.children, DEPLOYMENT: edited}), SETTINGS)
    assert (made.scales, made.deletes, made.group_operations) == ((), (), ())
    labels = child(made, "Deployment", "flights-delays")["metadata"]["labels"]
    assert labels["headrace.dev/group"] == "delays"


def test_an_edited_label_keeps_no_group_that_left() -> None:
    seen = left_behind()
    edited = copy.deepcopy(seen.children[AUDIT])
    edited["metadata"]["labels"]["headrace.dev/group"] = "delays"
    made = plan(replace(seen, children={**seen.children, AUDIT: edited}), SETTINGS)
    assert [(scale.deployment, scale.replicas) for scale in made.scales] == [("flights-audit", 0)]


def at_zero(seen: Observation) -> Observation:
    return replace(seen, children=applied(plan(seen, SETTINGS), seen))


def test_it_waits_until_no_pod_of_the_group_is_left() -> None:
    seen = at_zero(left_behind(pods=(pod("p", "audit"),)))
    made = plan(seen, SETTINGS)
    assert (made.scales, made.group_operations) == ((), ())
    assert AUDIT not in {d.ref for d in made.deletes}


def test_it_does_not_wait_for_what_has_ended() -> None:
    """Evicted pods and finished Jobs lie about for a long time."""
    evicted = pod("p", "audit")
    evicted["status"]["phase"] = "Failed"
    seen = at_zero(left_behind(pods=(evicted,)))
    done = mounting("Job", "j", conditions=[{"type": "Complete", "status": "True"}])
    done["metadata"]["labels"] = {"headrace.dev/group": "audit"}
    over = replace(seen, children={**seen.children, ChildRef("Job", "j"): done})
    assert plan(over, SETTINGS).group_operations == (ReleaseGroup("audit", "audit"),)
    running = {**done, "status": {}}
    still = replace(seen, children={**seen.children, ChildRef("Job", "j"): running})
    assert plan(still, SETTINGS).group_operations == ()


@pytest.mark.parametrize(
    ("policy", "operation", "orphans"),
    [
        ("Retain", ReleaseGroup("audit", "audit"), ["audit"]),
        ("Delete", DestroyGroup("audit", "audit"), []),
    ],
)
def test_then_its_group_is_released_or_destroyed_and_the_deployment_goes_last(
    policy: str, operation: Any, orphans: list[str]
) -> None:
    seen = at_zero(left_behind(policy))
    made = plan(seen, SETTINGS)
    assert made.group_operations == (operation,)
    metadata = seen.children[AUDIT]["metadata"]
    identity = metadata["uid"], metadata["resourceVersion"]
    assert Delete(AUDIT, *identity, after_group="audit") in made.deletes
    listed = made.status.get("orphanedGroups", [])
    assert [o["consumerGroup"] for o in listed] == orphans
    over = replace(seen, children=applied(made, seen), live_status=made.status)
    again = plan(over, SETTINGS)
    assert again.group_operations == ()
    assert again.status.get("orphanedGroups", []) == listed


@pytest.mark.parametrize(
    ("policy", "operation"),
    [
        ("Retain", ReleaseGroup("late", "ledger")),
        ("Delete", DestroyGroup("late", "ledger")),
    ],
)
def test_a_group_that_was_claimed_and_left_before_it_had_a_deployment_is_given_up(
    policy: str, operation: Any
) -> None:
    claimed = GroupClaim(ClaimState.OURS, consumer_group="ledger")
    seen = settled(pipeline({"spec.deletionPolicy": policy}))
    left = replace(seen, claims={**seen.claims, "late": claimed})
    made = plan(left, SETTINGS)
    assert made.group_operations == (operation,)
    listed = [one["consumerGroup"] for one in made.status.get("orphanedGroups", ())]
    assert listed == (["ledger"] if policy == "Retain" else [])
    still = replace(left, pods=(pod("p", "late"),))
    assert plan(still, SETTINGS).group_operations == ()


def test_a_group_whose_deployment_still_ends_is_not_given_up_by_its_claim() -> None:
    """A new process knows the claim by the name in Redis alone; the Deployment knows more."""
    seen = left_behind("Delete")
    claim = GroupClaim(ClaimState.OURS, consumer_group="audit")
    recalled = replace(seen, claims={**seen.claims, "recalled": claim})
    assert plan(recalled, SETTINGS).group_operations == ()


def test_a_group_that_goes_on_under_another_name_is_not_touched_in_redis() -> None:
    seen = at_zero(left_behind("Delete"))
    renamed = {
        "spec.deletionPolicy": "Delete",
        "spec.groups.1": {
            "name": "ledger",
            "consumerGroup": "audit",
            "worker": {"handler": "handlers:audit"},
        },
    }
    made = plan(replace(seen, pipeline=pipeline(renamed, generation=3)), SETTINGS)
    assert made.group_operations == (EnsureGroup("ledger"),)
    assert AUDIT in {d.ref for d in made.deletes}
    assert "orphanedGroups" not in made.status


def orphans(*names: str, **more: Any) -> dict[str, Any]:
    return {"orphanedGroups": [{"name": n, "consumerGroup": n} for n in names], **more}


def listed(status: dict[str, Any], **groups: Any) -> list[str]:
    seen = observe(pipeline(), live_status=status, backlog=backlog(**groups))
    found = plan(seen, SETTINGS).status.get("orphanedGroups", [])
    return [orphan["consumerGroup"] for orphan in found]


def test_an_orphan_that_redis_has_no_longer_leaves_the_list() -> None:
    gone = group_backlog(None, exists=False)
    assert listed(orphans("old", "older"), old=gone, older=group_backlog(3)) == ["older"]
    assert listed(orphans("old")) == ["old"], "not read yet"
    dark = observe(pipeline(), live_status=orphans("old"), backlog=None, redis_error="down")
    assert "orphanedGroups" in plan(dark, SETTINGS).status


def test_of_many_orphans_the_newest_are_listed_and_all_are_counted() -> None:
    """The API server refuses a longer list, and with it the whole status."""
    seen = at_zero(left_behind(live_status=orphans(*(f"o{n}" for n in range(64)))))
    status = plan(seen, SETTINGS).status
    names = [orphan["consumerGroup"] for orphan in status["orphanedGroups"]]
    assert (len(names), names[0], names[-1]) == (64, "o1", "audit")
    assert status["orphanedGroupCount"] == 65
    again = plan(replace(seen, live_status=status), SETTINGS).status
    assert again["orphanedGroupCount"] == 65


def test_an_orphan_that_comes_back_is_none() -> None:
    before = {"orphanedGroups": [{"name": "delays", "consumerGroup": "delays"}]}
    assert "orphanedGroups" not in plan(observe(pipeline(), live_status=before), SETTINGS).status


def test_what_an_earlier_pipeline_of_this_name_left_is_waited_for() -> None:
    subject = pipeline({})
    world = settled(subject)
    ref, live = next((r, c) for r, c in world.children.items() if r.kind == "Deployment")
    former = copy.deepcopy(dict(live))
    former["metadata"]["ownerReferences"][0]["uid"] = "of-a-deleted-pipeline"
    todo = plan(replace(world, children={**world.children, ref: former}), SETTINGS)
    assert ref not in {apply.ref for apply in todo.applies}
    ready = next(c for c in todo.status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Progressing")
    assert "an earlier pipeline of this name is being deleted" in ready["message"]
    assert not any(c["type"] == "Stalled" for c in todo.status["conditions"])
