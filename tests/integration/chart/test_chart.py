"""The chart's promises that need no server: what it renders and what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries
from tests.support import yaml_text

from headrace_api.manifest_lines import repeated_keys
from headrace_api.mounts import HTTP_PORT_NAME
from headrace_api.names import common_labels
from headrace_operator.settings import parse

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "headrace"
CRD = ROOT / "crds" / "streampipelines.headrace.dev.yaml"


@pytest.fixture(scope="session")
def helm() -> str:
    return str(binaries.helm())


def render(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [helm, "template", "headrace", str(CHART), "--namespace", "headrace-system"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def objects(helm: str, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    done = render(helm, *arguments)
    assert done.returncode == 0, done.stderr
    return {
        (item["kind"], item["metadata"]["name"]): item
        for item in yaml_text.load_all(done.stdout)
        if item
    }


def test_two_renders_are_the_same_text(helm: str) -> None:
    assert render(helm).stdout == render(helm).stdout


@pytest.mark.parametrize("file", sorted((ROOT / "crds").glob("*.headrace.dev.yaml")), ids=str)
def test_each_definition_in_the_chart_is_the_generated_one(helm: str, file: Path) -> None:
    rendered = objects(helm)["CustomResourceDefinition", file.stem]
    generated = yaml_text.load(file.read_text())
    assert rendered["spec"] == generated["spec"]


def test_the_definition_survives_an_uninstall_unless_told_otherwise(helm: str) -> None:
    key = ("CustomResourceDefinition", "streampipelines.headrace.dev")
    kept = objects(helm)[key]["metadata"]["annotations"]
    assert kept["helm.sh/resource-policy"] == "keep"
    dropped = objects(helm, "--set", "crds.keep=false")[key]["metadata"]
    assert "helm.sh/resource-policy" not in dropped.get("annotations", {})
    assert key not in objects(helm, "--set", "crds.enabled=false")


def test_the_notes_tell_the_order_in_which_all_of_it_goes(helm: str) -> None:
    """A pipeline under Delete has a finalizer that only the operator takes off."""
    command = [helm, "install", "headrace", str(CHART), "--dry-run=client", "--namespace", "here"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _, _, notes = done.stdout.partition("\nNOTES:\n")
    steps = [line.strip() for line in notes.partition("To remove all of it")[2].splitlines()]
    found = [" ".join(step.split()[:3]) for step in steps if step.startswith(("kubectl", "helm"))]
    assert found == [
        "kubectl delete streampipelines",
        "helm uninstall headrace",
        "kubectl delete customresourcedefinition",
    ]
    definitions = {file.stem for file in (ROOT / "crds").glob("*.headrace.dev.yaml")}
    (last,) = [step for step in steps if "customresourcedefinition" in step]
    assert definitions <= set(last.split())


@pytest.mark.parametrize(
    "value",
    ["workerimage.tag=1", "image.pullPolicy=Sometimes", "watchNamespaces={A_b}", "replicas=x"],
)
def test_a_value_that_the_schema_does_not_know_is_refused(helm: str, value: str) -> None:
    done = render(helm, "--set", value)
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_with_a_list_of_namespaces_no_right_is_given_in_others(helm: str) -> None:
    rendered = objects(helm, "--set", "watchNamespaces={airport,harbour}")
    bindings = [name for kind, name in rendered if kind == "ClusterRoleBinding"]
    assert bindings == []
    roles = yaml_text.load_all(render(helm, "--set", "watchNamespaces={airport,harbour}").stdout)
    spaces = {
        role["metadata"]["namespace"]
        for role in roles
        if role and role["kind"] == "RoleBinding" and role["metadata"]["name"] == "headrace"
    }
    assert spaces == {"airport", "harbour"}


def test_secrets_are_read_by_name_only(helm: str) -> None:
    rules = objects(helm)["ClusterRole", "headrace-system-headrace"]["rules"]
    on_secrets = [rule["verbs"] for rule in rules if "secrets" in rule["resources"]]
    assert on_secrets == [["get"]]


def test_no_right_is_given_by_a_wildcard(helm: str) -> None:
    for (kind, _), item in objects(helm).items():
        if kind in ("Role", "ClusterRole"):
            for rule in item["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_a_service_monitor_selects_the_metrics_service(helm: str) -> None:
    rendered = objects(helm, "--set", "metrics.serviceMonitor.enabled=true")
    wanted = rendered["ServiceMonitor", "headrace"]["spec"]["selector"]["matchLabels"]
    labels = rendered["Service", "headrace-metrics"]["metadata"]["labels"]
    assert wanted.items() <= labels.items()


def test_every_object_carries_the_common_labels_and_annotations(helm: str) -> None:
    everything = ["--values", str(CHART / "ci" / "everything-values.yaml")]
    for (kind, name), item in objects(helm, *everything).items():
        if name not in ("extra", "of-headrace"):
            assert item["metadata"]["labels"]["cost-centre"] == "42", (kind, name)
            assert item["metadata"]["annotations"]["example.com/owner"] == "streams", (kind, name)


def test_two_releases_of_one_name_share_nothing_outside_their_namespaces(helm: str) -> None:
    def cluster_wide(namespace: str) -> set[tuple[str, str]]:
        rendered = objects(helm, "--namespace", namespace, "--set", "crds.enabled=false")
        return {key for key, item in rendered.items() if "namespace" not in item["metadata"]}

    assert cluster_wide("one")
    assert not cluster_wide("one") & cluster_wide("two")


def test_a_mirror_is_one_value(helm: str) -> None:
    rendered = objects(helm, "--set", "global.imageRegistry=mirror.example")
    container = rendered["Deployment", "headrace"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].startswith("mirror.example/headrace/operator:")
    assert container["args"][0].startswith("--worker-image=mirror.example/headrace/worker:")


def test_no_uid_is_fixed_and_root_is_refused(helm: str) -> None:
    pod = objects(helm)["Deployment", "headrace"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & pod["securityContext"].keys()


def test_a_pod_label_that_the_selector_needs_is_refused_with_a_sentence(helm: str) -> None:
    done = render(helm, "--set", "podLabels.app\\.kubernetes\\.io/name=mine")
    assert done.returncode != 0
    assert "podLabels.app.kubernetes.io/name: the chart sets this label" in done.stderr


def test_every_argument_is_one_that_the_operator_takes(helm: str) -> None:
    everything = ["--values", str(CHART / "ci" / "everything-values.yaml")]
    for deployment in (
        objects(helm)["Deployment", "headrace"],
        objects(helm, *everything)["Deployment", "streams"],
    ):
        parse(deployment["spec"]["template"]["spec"]["containers"][0]["args"])


def test_workers_of_all_watched_namespaces_are_scraped(helm: str) -> None:
    switch = ["--set", "metrics.workerPodMonitor.enabled=true"]
    monitor = objects(helm, *switch)["PodMonitor", "headrace-workers"]["spec"]
    assert monitor["namespaceSelector"] == {"any": True}
    labels = {*common_labels("flights", "delays")}
    assert {one["key"] for one in monitor["selector"]["matchExpressions"]} <= labels
    assert monitor["podMetricsEndpoints"][0]["port"] == HTTP_PORT_NAME
    listed = objects(helm, *switch, "--set", "watchNamespaces={airport}")
    spaces = listed["PodMonitor", "headrace-workers"]["spec"]["namespaceSelector"]
    assert spaces == {"matchNames": ["airport"]}


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor", "workerPodMonitor"])
def test_the_namespace_label_of_a_pipeline_survives_the_scrape(helm: str, kind: str) -> None:
    rendered = objects(helm, "--set", f"metrics.{kind}.enabled=true")
    monitors = [item for (of, _), item in rendered.items() if of.endswith("Monitor")]
    assert len(monitors) == 1
    spec = monitors[0]["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True


@pytest.mark.parametrize("kind", ["serviceMonitor", "podMonitor"])
def test_metrics_over_tls_are_one_value_from_the_secret_to_the_scrape(helm: str, kind: str) -> None:
    rendered = objects(
        helm,
        *("--set", "metrics.tls.secretName=metrics-tls", "--set", "networkPolicy.enabled=true"),
        *(
            "--set",
            f"metrics.{kind}.enabled=true",
            "--set",
            "metrics.workerPodMonitor.enabled=true",
        ),
    )
    pod = rendered["Deployment", "headrace"]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    assert volume["secret"]["secretName"] == "metrics-tls"
    assert parse(container["args"]).metrics_tls == Path(mount["mountPath"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8080, "https": parse(container["args"]).metrics_port}
    (of_service,) = rendered["Service", "headrace-metrics"]["spec"]["ports"]
    assert of_service["targetPort"] == "https"
    (allowed,) = rendered["NetworkPolicy", "headrace"]["spec"]["ingress"]
    assert [port["port"] for port in allowed["ports"]] == ["https"]
    spec = rendered[kind[0].upper() + kind[1:], "headrace"]["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == ("https", "https")
    assert endpoint["tlsConfig"]["serverName"] == "headrace-metrics.headrace-system.svc"
    workers = rendered["PodMonitor", "headrace-workers"]["spec"]["podMetricsEndpoints"]
    assert [(one["port"], "scheme" in one) for one in workers] == [("http", False)]


def test_only_listed_secrets_may_be_read_where_there_is_a_list(helm: str) -> None:
    for namespaces in ([], ["--set", "watchNamespaces={airport}"]):
        rendered = objects(helm, "--set", "rbac.secretNames={redis-auth}", *namespaces)
        rules = [
            rule
            for (kind, _), item in rendered.items()
            if kind in ("Role", "ClusterRole")
            for rule in item["rules"]
            if "secrets" in rule["resources"] and rule["verbs"] == ["get"]
        ]
        assert [rule["resourceNames"] for rule in rules] == [["redis-auth"]]


def test_a_digest_wins_over_a_tag(helm: str) -> None:
    digest = f"sha256:{'0' * 64}"
    given = (f"digest={digest}", "tag=v1")
    values = [f"{of}.{key}" for of in ("image", "workerImage") for key in given]
    rendered = objects(helm, *(word for value in values for word in ("--set", value)))
    container = rendered["Deployment", "headrace"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"ghcr.io/headrace/operator@{digest}"
    assert container["args"][0] == f"--worker-image=ghcr.io/headrace/worker@{digest}"


def test_two_replicas_and_a_budget_are_the_default(helm: str) -> None:
    rendered = objects(helm)
    assert rendered["Deployment", "headrace"]["spec"]["replicas"] == 2
    assert rendered["PodDisruptionBudget", "headrace"]["spec"]["maxUnavailable"] == 1


def test_what_selects_the_operators_pods_meets_them(helm: str) -> None:
    """And nothing else of the chart: the pods of `helm test` have other labels."""
    on = ("metrics.podMonitor.enabled", "metrics.serviceMonitor.enabled", "networkPolicy.enabled")
    rendered = objects(helm, *(word for switch in on for word in ("--set", f"{switch}=true")))
    pod = rendered["Deployment", "headrace"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    service = rendered["Service", "headrace-metrics"]["spec"]
    selectors = {
        "budget": rendered["PodDisruptionBudget", "headrace"]["spec"]["selector"]["matchLabels"],
        "monitor": rendered["PodMonitor", "headrace"]["spec"]["selector"]["matchLabels"],
        "policy": rendered["NetworkPolicy", "headrace"]["spec"]["podSelector"]["matchLabels"],
        "service": service["selector"],
    }
    others = [
        (item if kind == "Pod" else item["spec"]["template"])["metadata"]["labels"]
        for (kind, name), item in rendered.items()
        if kind in ("Pod", "Deployment") and name != "headrace"
    ]
    assert len(others) == 2
    for name, selector in selectors.items():
        assert selector.items() <= pod["metadata"]["labels"].items(), name
        assert not any(selector.items() <= labels.items() for labels in others), name
    (endpoint,) = rendered["PodMonitor", "headrace"]["spec"]["podMetricsEndpoints"]
    assert {endpoint["port"], *(port["targetPort"] for port in service["ports"])} <= ports


def test_the_network_policy_lets_through_the_scrape_dns_the_api_server_and_redis(helm: str) -> None:
    given = ["--set", "networkPolicy.enabled=true", "--set", "networkPolicy.redisPorts={6380}"]
    policy = objects(helm, *given)["NetworkPolicy", "headrace"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    ((scrape,),) = (one["ports"] for one in policy["ingress"])
    assert scrape["port"] == "http"
    (allowed,) = policy["egress"]
    assert {port["port"] for port in allowed["ports"]} == {53, 443, 6443, 6380}


def test_each_dashboard_becomes_a_config_map_that_the_sidecar_finds(helm: str) -> None:
    files = {path.name: path.read_text() for path in CHART.glob("files/dashboards/*.json")}
    rendered = objects(helm, "--set", "metrics.dashboards.enabled=true")
    made = {}
    for (kind, _), item in rendered.items():
        if kind == "ConfigMap" and "grafana_dashboard" in item["metadata"]["labels"]:
            made |= item["data"]
    assert {name.removeprefix("headrace-") for name in made} == files.keys()
    for name, text in made.items():
        assert json.loads(text) == json.loads(files[name.removeprefix("headrace-")])


def test_an_operator_with_no_replica_is_refused(helm: str) -> None:
    done = render(helm, "--set", "replicas=0")
    assert done.returncode != 0
    assert "at '/replicas': minimum: got 0, want 1" in done.stderr


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"clientCertificates": True}, "clientCertificates needs metrics.tls.secretName"),
        ({"scrape": {"serverName": "a"}}, "scrape needs metrics.tls.secretName"),
        ({"secretName": "s", "scrape": {"ca": {}}}, "ca names no Secret and no ConfigMap"),
        ({"secretName": "s", "scrape": {"ca": {"secret": {}}}}, "ca names no Secret"),
    ],
)
def test_tls_that_would_promise_more_than_it_does_is_refused(
    helm: str, values: dict[str, Any], sentence: str
) -> None:
    done = render(helm, "--set-json", f"metrics.tls={json.dumps(values)}")
    assert done.returncode != 0
    assert sentence in done.stderr


@pytest.mark.parametrize("values", sorted(CHART.glob("ci/*.yaml")), ids=lambda path: path.stem)
def test_no_key_is_written_twice(helm: str, values: Path) -> None:
    """As a label that stands in two of the user's maps, and in the chart's own, could be."""
    same = "team: streams, app.kubernetes.io/part-of: other"
    twice = f"commonLabels: {{{same}}}\npodLabels: {{{same}}}\n"
    done = subprocess.run(
        [helm, "template", str(CHART), "--values", str(values), "--values", "-"],
        input=twice,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    documents = yaml.compose_all(done.stdout, Loader=yaml.CSafeLoader)
    assert [key for one in documents if one for key in repeated_keys(one)] == []
