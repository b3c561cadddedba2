"""`headrace render` prints what the operator applies, and refuses what `validate` refuses."""

import json
from pathlib import Path

import pytest
from tests.support import yaml_text
from tests.support.manifests import EXAMPLES, pipelines
from tests.support.observations import UID
from tests.unit.docs.pages import ROOT
from typer.testing import CliRunner, Result

from headrace.cli import app

GOLDEN = ROOT / "tests/unit/operator/golden"


def render(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["render", *map(str, arguments)], input=stdin)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_manifest_from_the_cluster_gives_the_very_children(path: Path) -> None:
    """The golden files are what the plan applies; integration tests apply it for real."""
    (document,) = pipelines(path)
    document["metadata"] |= {"uid": UID, "namespace": "airport"}
    done = render("-", stdin=json.dumps(document))
    golden = (GOLDEN / path.name).read_text("utf-8")
    assert list(yaml_text.load_all(done.stdout)) == list(yaml_text.load_all(golden))


def test_one_that_no_cluster_has_seen_gets_no_owners(tmp_path: Path) -> None:
    done = render(ROOT / "examples/flights/pipeline.yaml", "-n", "airport", "-o", "json")
    children = json.loads(done.stdout)["items"]
    kinds = ["ServiceAccount", "ConfigMap", "Deployment", "CronJob", "ConfigMap", "Deployment"]
    assert [child["kind"] for child in children][:6] == kinds
    assert {child["metadata"]["namespace"] for child in children} == {"airport"}
    assert "ownerReferences" not in done.stdout


def test_the_operators_own_settings_can_be_given() -> None:
    defaults = '{"nodeSelector": {"disk": "ssd"}}'
    path = ROOT / "examples/flights/pipeline.yaml"
    done = render(path, "--worker-image", "registry/w:1", "--worker-defaults", defaults)
    deployment = next(one for one in yaml_text.load_all(done.stdout) if one["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["containers"][0]["image"] == "registry/w:1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.yaml"], "cannot read nothing.yaml"),
        (["--worker-defaults", "[", "x"], "worker defaults: write a JSON object"),
        (["-"], "spec: is required"),
    ],
)
def test_what_cannot_be_rendered_is_told(arguments: list[str], sentence: str) -> None:
    bad = "apiVersion: headrace.dev/v1alpha1\nkind: StreamPipeline\nmetadata: {name: a}\n"
    done = render(*arguments, stdin=bad)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert done.stdout == ""


def test_where_a_redis_is_that_only_a_secret_says_is_not_made_up() -> None:
    (document,) = pipelines(ROOT / "examples/manifests/minimal.yaml")
    document["spec"]["redis"] = {"credentialsSecretRef": {"name": "managed", "urlKey": "uri"}}
    done = render("-", stdin=json.dumps(document))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "where its Redis is stands in a Secret" in done.stderr


def test_a_connection_among_the_files_says_where_redis_is(tmp_path: Path) -> None:
    (document,) = pipelines(ROOT / "examples/manifests/minimal.yaml")
    plain = render("-", stdin=json.dumps(document))
    connection = {
        "apiVersion": document["apiVersion"],
        "kind": "RedisConnection",
        "metadata": {"name": "shared"},
        "spec": document["spec"]["redis"],
    }
    document["spec"]["redis"] = {"connectionRef": {"name": "shared"}}
    missing = render("-", stdin=json.dumps(document))
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "RedisConnection shared is in none of the files: add its file" in missing.stderr
    (tmp_path / "shared.yaml").write_text(json.dumps(connection))
    (tmp_path / "pipeline.yaml").write_text(json.dumps(document))
    assert render(tmp_path).stdout == plain.stdout
