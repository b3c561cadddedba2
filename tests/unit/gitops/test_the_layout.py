"""The example repository: its pipeline is valid, and what it refers to is there."""

import subprocess
import sys
from pathlib import Path

from tests.support import yaml_text

HERE = Path(__file__).parents[3] / "examples/gitops"


def test_the_pipeline_passes_the_check_that_its_ci_runs() -> None:
    file = HERE / "apps/flights/pipeline.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "validate", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_kustomize_knows_every_field_that_names_a_generated_config_map() -> None:
    pipeline = yaml_text.load((HERE / "apps/flights/pipeline.yaml").read_text())
    kustomization = yaml_text.load((HERE / "apps/flights/kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    named = [group["worker"]["codeConfigMapRef"]["name"] for group in pipeline["spec"]["groups"]]
    assert named == [generated["name"]]
    references = yaml_text.load((HERE / "apps/flights/name-reference.yaml").read_text())
    paths = {spec["path"] for one in references["nameReference"] for spec in one["fieldSpecs"]}
    assert "spec/groups/worker/codeConfigMapRef/name" in paths


def test_the_operator_is_synced_before_the_pipelines_and_its_definition_never_pruned() -> None:
    wave = "argocd.argoproj.io/sync-wave"
    headrace, flights = (
        yaml_text.load((HERE / f"argocd/applications/{name}.yaml").read_text())
        for name in ("headrace", "flights")
    )
    assert headrace["metadata"]["annotations"][wave] < flights["metadata"]["annotations"][wave]
    crds = headrace["spec"]["source"]["helm"]["valuesObject"]["crds"]
    assert "Prune=false" in crds["annotations"]["argocd.argoproj.io/sync-options"]
