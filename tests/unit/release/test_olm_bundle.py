"""The OLM bundle installs what an install without Helm does; its example is a valid pipeline."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from make import olm
from make.version import TRUTH, found

from headrace_api.validation import problems

ROOT = Path(__file__).parents[3]
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return olm.bundle(ROOT, EPOCH)


@pytest.fixture(scope="module")
def service_version(files: dict[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(files["manifests/headrace.clusterserviceversion.yaml"])
    return read


@pytest.fixture(scope="module")
def applied() -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((ROOT / olm.OPERATOR).read_text("utf-8")) if one]


def test_it_is_the_same_each_time(files: dict[str, str]) -> None:
    assert olm.bundle(ROOT, EPOCH) == files


def test_the_version_is_the_one_of_all_else(service_version: dict[str, Any]) -> None:
    version = found(ROOT, *TRUTH)
    assert service_version["metadata"]["name"] == f"headrace.v{version}"
    assert service_version["spec"]["version"] == version
    images = [one["image"] for one in service_version["spec"]["relatedImages"]]
    assert images == [f"ghcr.io/headrace/{name}:{version}" for name in ("operator", "worker")]


def test_rights_and_pods_are_those_of_any_other_install(
    service_version: dict[str, Any], applied: list[dict[str, Any]]
) -> None:
    installed = service_version["spec"]["install"]["spec"]
    (deployment,) = (one for one in applied if one["kind"] == "Deployment")
    assert [one["spec"] for one in installed["deployments"]] == [deployment["spec"]]
    by_name = {one["metadata"]["name"]: one for one in applied if "rules" in one}
    assert installed["clusterPermissions"] == [
        {"serviceAccountName": "headrace", "rules": by_name["headrace-system-headrace"]["rules"]}
    ]
    assert installed["permissions"] == [
        {"serviceAccountName": "headrace", "rules": by_name["headrace-leader"]["rules"]}
    ]


def test_nothing_of_an_install_is_lost(
    files: dict[str, str], applied: list[dict[str, Any]]
) -> None:
    """What is no file of its own stands in the CSV, or is made by OLM from it."""
    kinds = {yaml.safe_load(text)["kind"] for name, text in files.items() if "manifests/" in name}
    inside = {"Deployment", "ServiceAccount", "Role", "RoleBinding", "ClusterRoleBinding"}
    assert {one["kind"] for one in applied} <= kinds | inside
    roles = [name for name in files if name.endswith(".clusterrole.yaml")]
    assert len(roles) == 2, "for whoever may view or edit a namespace"


def test_every_definition_is_owned_and_comes_along(
    files: dict[str, str], service_version: dict[str, Any]
) -> None:
    there = {
        path.name.removesuffix(".yaml") for path in (ROOT / "crds").glob("*.headrace.dev.yaml")
    }
    owned = {one["name"] for one in service_version["spec"]["customresourcedefinitions"]["owned"]}
    assert owned == there
    assert {f"manifests/{name}.yaml" for name in there} <= files.keys()


def test_the_console_offers_a_valid_example_of_each_definition(
    service_version: dict[str, Any],
) -> None:
    examples = json.loads(service_version["metadata"]["annotations"]["alm-examples"])
    assert [list(problems(example)) for example in examples] == [[], []]
    owned = service_version["spec"]["customresourcedefinitions"]["owned"]
    assert {one["kind"] for one in examples} == {one["kind"] for one in owned}


# What OperatorHub asks of a CSV:
# https://olm.operatorframework.io/docs/best-practices/common/
ANNOTATIONS = (
    *("capabilities", "categories", "containerImage", "createdAt"),
    *("description", "repository", "support", "alm-examples"),
)
FIELDS = (
    *("displayName", "description", "version", "minKubeVersion", "maturity", "keywords"),
    *("provider", "links", "icon", "installModes", "install", "customresourcedefinitions"),
)
CAPABILITIES = (
    "Basic Install",
    "Seamless Upgrades",
    "Full Lifecycle",
    "Deep Insights",
    "Auto Pilot",
)


def test_no_field_that_a_catalogue_asks_for_is_empty(service_version: dict[str, Any]) -> None:
    about, spec = service_version["metadata"]["annotations"], service_version["spec"]
    assert [name for name in ANNOTATIONS if not about.get(name)] == []
    assert [name for name in FIELDS if not spec.get(name)] == []
    assert about["capabilities"] in CAPABILITIES
    assert len(about["description"]) <= 135, "longer ones are cut off"
    assert spec["install"]["strategy"] == "deployment"
    for one in spec["customresourcedefinitions"]["owned"]:
        assert all(one[field] for field in ("name", "kind", "version", "displayName"))


def test_only_what_the_operator_can_do_is_offered(service_version: dict[str, Any]) -> None:
    modes = {one["type"]: one["supported"] for one in service_version["spec"]["installModes"]}
    assert [mode for mode, supported in modes.items() if supported] == ["AllNamespaces"]
    assert len(modes) == 4


def test_the_image_carries_the_labels_of_its_metadata(files: dict[str, str]) -> None:
    labels = yaml.safe_load(files["metadata/annotations.yaml"])["annotations"]
    for name, value in labels.items():
        assert f"LABEL {name}={value}\n" in files["bundle.Dockerfile"]
