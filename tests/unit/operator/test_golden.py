"""What a manifest becomes: every example's children, as YAML to read and to review.

After a wanted change: `HEADRACE_GOLDEN=write .venv/bin/pytest tests/unit/operator/test_golden.py`
and read the diff.
"""

import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.support import yaml_text
from tests.support.manifests import EXAMPLES, pipelines
from tests.support.observations import SETTINGS, UID, observe

from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.plan import RenderedPipeline, plan

GOLDEN = Path(__file__).parent / "golden"
OLDEST, NEWEST = "1.29", "1.35"


def examples() -> list[Any]:
    return [
        pytest.param(path.stem, document, id=path.stem)
        for path in EXAMPLES
        for document in pipelines(path)
    ]


def load(document: dict[str, Any]) -> StreamPipeline:
    server_given = {"uid": UID, "generation": 1, "resourceVersion": "1", "namespace": "airport"}
    return StreamPipeline.model_validate(
        document | {"metadata": server_given | document["metadata"]}
    )


@pytest.mark.parametrize(("name", "document"), examples())
def test_an_example_becomes_exactly_these_children(name: str, document: dict[str, Any]) -> None:
    made = plan(observe(load(document)), SETTINGS)
    text = yaml.safe_dump_all([a.manifest for a in made.applies], sort_keys=False, width=100)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_kubernetes_accepts_every_golden_child(path: Path, version: str) -> None:
    for child in filter(None, yaml_text.load_all(path.read_text(encoding="utf-8"))):
        kubernetes_validate.validate(child, version, strict=True)


@pytest.mark.parametrize(("name", "document"), examples())
def test_the_names_looked_up_are_the_names_applied(name: str, document: dict[str, Any]) -> None:
    pipeline = load(document)
    made = plan(observe(pipeline), SETTINGS)
    assert {a.ref for a in made.applies} == set(
        RenderedPipeline(pipeline, SETTINGS).wanted.children
    )


def test_no_child_holds_a_secret_or_a_copied_label() -> None:
    for _, document in (param.values for param in examples()):
        labelled = document | {
            "metadata": document["metadata"]
            | {"labels": {"argocd.argoproj.io/instance": "x"}, "annotations": {"team": "y"}}
        }
        for apply in plan(observe(load(labelled)), SETTINGS).applies:
            assert "argocd" not in str(apply.manifest)
            assert "team" not in apply.manifest["metadata"].get("annotations", {})
            assert apply.manifest["kind"] != "Secret"
