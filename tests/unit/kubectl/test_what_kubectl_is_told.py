"""The plugin's own line, the Job it makes of the operator's template, and what it hides."""

import pytest
from tests.support.observations import SETTINGS, pipeline

from headrace.kubectl.job import command_job
from headrace.kubectl.program import split_options
from headrace.kubectl.redaction import redacted, redacted_text
from headrace_operator.plan.first_children import first_children


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        ("status flights -n airport", "-n airport", "status flights"),
        ("-n airport status flights", "-n airport", "status flights"),
        ("--context=prod top -A", "--context=prod", "top -A"),
        ("logs flights --as bob --tail 5", "--as bob", "logs flights --tail 5"),
        ("backlog flights -- -n 5", "", "backlog flights -- -n 5"),
        ("status -n", "-n", "status"),
    ],
)
def test_kubectls_own_options_may_stand_anywhere(line: str, options: str, rest: str) -> None:
    assert split_options(line.split()) == (options.split(), rest.split())


@pytest.fixture
def templates() -> dict[str, dict]:
    children = first_children(
        pipeline({"spec.redis.credentialsSecretRef": {"name": "a"}}), SETTINGS
    )
    of_kind = {child["kind"]: child for child in children}
    return {
        "Deployment": of_kind["Deployment"]["spec"]["template"],
        "CronJob": of_kind["CronJob"]["spec"]["jobTemplate"]["spec"]["template"],
    }


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_the_job_has_what_the_operators_pods_have(templates: dict, kind: str) -> None:
    template = templates[kind]
    job = command_job("flights", template, ["backlog", "flights"])
    pod = job["spec"]["template"]["spec"]
    container, before = pod["containers"][0], template["spec"]["containers"][0]
    assert container["command"] == ["headrace"]
    assert container["args"] == ["backlog", "flights"]
    for same in ("image", "env", "volumeMounts", "securityContext"):
        assert container[same] == before[same]
    for same in ("volumes", "securityContext", "serviceAccountName"):
        assert pod[same] == template["spec"][same]
    assert not {"livenessProbe", "ports"} & container.keys()
    assert pod["automountServiceAccountToken"] is False
    assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")


def test_the_job_is_nobodys_worker(templates: dict) -> None:
    job = command_job("flights", templates["Deployment"], [])
    assert job["metadata"]["labels"]["headrace.dev/job"] == "command"
    assert "app.kubernetes.io/managed-by" not in job["metadata"]["labels"]
    pod = job["spec"]["template"]["metadata"]["labels"]
    assert pod["headrace.dev/job"] == "command"
    assert "headrace.dev/group" not in pod


def test_names_of_jobs_fit() -> None:
    template = {"spec": {"containers": [{}]}}
    name = command_job("p" * 60, template, [])["metadata"]["name"]
    assert len(name) <= 52
    assert name != command_job("p" * 60, template, [])["metadata"]["name"]


def test_nothing_secret_is_in_a_bundle() -> None:
    found = redacted(
        {
            "metadata": {
                "managedFields": [{}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "s3cret"},
            },
            "env": [
                {"name": "DB_PASSWORD", "value": "s3cret"},
                {"name": "URL", "value": "redis://bob:s3cret@redis:6379/0"},
                {"name": "CITY", "value": "Rome"},
                {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
            ],
        }
    )
    assert "s3cret" not in str(found)
    assert found["env"][1]["value"] == "redis://REDACTED@redis:6379/0"
    assert found["env"][2]["value"] == "Rome"
    assert found["env"][3]["valueFrom"]["secretKeyRef"]["key"] == "y"
    assert redacted_text('cannot reach "rediss://:s3cret@[::1]:6379"') == (
        'cannot reach "rediss://REDACTED@[::1]:6379"'
    )
