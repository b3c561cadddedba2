"""The companion chart: one values file becomes a pipeline that `headrace validate` accepts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import binaries
from tests.support import yaml_text

from headrace_api.mounts import HTTP_PORT
from headrace_api.names import common_labels

CHART = Path(__file__).parents[3] / "charts" / "pipeline"
EVERYTHING = CHART / "ci" / "everything-values.yaml"


def render(values: Path) -> str:
    command = [str(binaries.helm()), "template", "flights", str(CHART), "--namespace", "airport"]
    return subprocess.run(
        [*command, "--values", str(values)], capture_output=True, text=True, check=True
    ).stdout


def objects(text: str) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in yaml_text.load_all(text) if item}


@pytest.mark.parametrize("values", sorted(CHART.glob("ci/*.yaml")), ids=lambda path: path.stem)
def test_what_it_renders_is_a_valid_pipeline(values: Path, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(render(values))
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "validate", str(rendered)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_groups_without_an_image_get_the_handlers_of_the_values() -> None:
    rendered = objects(render(EVERYTHING))
    delays, alerts = rendered["StreamPipeline"]["spec"]["groups"]
    handlers = rendered["ConfigMap"]
    assert delays["worker"]["codeConfigMapRef"]["name"] == handlers["metadata"]["name"]
    assert "codeConfigMapRef" not in alerts["worker"], "its image holds its own"
    compile(handlers["data"]["handlers.py"], "handlers.py", "exec")


def test_the_secret_and_what_refers_to_it_agree() -> None:
    rendered = objects(render(EVERYTHING))
    reference = rendered["StreamPipeline"]["spec"]["redis"]["credentialsSecretRef"]
    secret = rendered["Secret"]
    assert reference["name"] == secret["metadata"]["name"]
    assert {reference["usernameKey"], "password"} == secret["stringData"].keys()


def test_no_secret_is_made_without_a_password() -> None:
    assert "Secret" not in objects(render(CHART / "ci" / "smallest-values.yaml"))


def test_the_network_policy_lets_workers_be_scraped_and_reach_redis_and_what_is_named() -> None:
    policy = objects(render(EVERYTHING))["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= common_labels("flights", "a").items()
    assert [port["port"] for one in policy["ingress"] for port in one["ports"]] == [HTTP_PORT]
    ours, named = policy["egress"]
    assert {port["port"] for port in ours["ports"]} == {53, 6379, 26379}
    assert named == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
