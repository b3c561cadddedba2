"""The JSON Schema takes what the API server's schema takes, and refuses slips of the keyboard."""

import json

import jsonschema
import pytest
from tests.support.manifests import ACCEPTED, REMOVED, manifest
from tests.unit.docs.pages import ROOT

from headrace_api import json_schema
from headrace_api.manifest_file import documents_below

VALIDATOR = jsonschema.Draft7Validator(json_schema.build())


def wrong(document) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(document)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema.build())
    assert "x-kubernetes" not in json_schema.text()


def test_every_example_passes() -> None:
    found = {
        path: [wrong(one.manifest) for one in documents if "status" not in one.manifest]
        for path, documents in documents_below(ROOT / "examples")
    }
    assert sum(map(len, found.values())) > 12
    assert {path: one for path, one in found.items() if any(one)} == {}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_what_validate_takes_passes(changes) -> None:
    assert wrong(json.loads(json.dumps(manifest(changes)))) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kind": "Streampipeline"}, "$.kind"),
        ({"apiVersion": "v1"}, "$.apiVersion"),
        ({"metadata": REMOVED}, "$"),
        ({"spek": {}}, "$"),
        ({"spec.strem": {}}, "$.spec"),
        ({"spec.groups.0.wokrer": {}}, "$.spec.groups[0]"),
        ({"spec.groups.0.worker": REMOVED}, "$.spec.groups[0]"),
        ({"spec.suspend": "yes"}, "$.spec.suspend"),
        ({"spec.groups.0.scaling": {"mode": "automatic"}}, "$.spec.groups[0].scaling.mode"),
        ({"spec.groups.0.worker.resources": {"limits": {"cpu": []}}}, None),
    ],
)
def test_what_is_wrong_is_told_at_its_place(changes, path) -> None:
    found = wrong(manifest(changes))
    assert len(found) == 1
    assert path in (None, found[0])
