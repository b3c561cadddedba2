"""Argo CD's customizations, run by a Lua interpreter on recorded resources and on fresh plans."""

from pathlib import Path
from typing import Any

import pytest
from lupa import lua51
from tests.support import yaml_text
from tests.support.observations import SETTINGS, observe, pipeline, settled

from headrace_operator.plan import plan

HERE = (
    Path(__file__).parents[3]
    / "examples/gitops/argocd/resource_customizations/headrace.dev/StreamPipeline"
)
HEALTH = yaml_text.load((HERE / "health_test.yaml").read_text())["tests"]
ACTIONS = yaml_text.load((HERE / "actions/action_test.yaml").read_text())


def run(script: Path, resource: dict[str, Any]) -> Any:
    lua = lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(resource, recursive=True)
    return plain(lua.execute(script.read_text()))


def plain(value: Any) -> Any:
    """A Lua table as dict or list."""
    if lua51.lua_type(value) != "table":
        return value
    items = {key: plain(one) for key, one in value.items()}
    return (
        [items[i + 1] for i in range(len(items))]
        if items and all(isinstance(key, int) for key in items)
        else items
    )


def load(path: str) -> dict[str, Any]:
    resource: dict[str, Any] = yaml_text.load((HERE / path).read_text())
    return resource


@pytest.mark.parametrize("case", HEALTH, ids=lambda case: Path(case["inputPath"]).stem)
def test_health_is_read_from_the_conditions(case: dict[str, Any]) -> None:
    assert run(HERE / "health.lua", load(case["inputPath"])) == case["healthStatus"]


def test_no_recorded_resource_is_left_out() -> None:
    recorded = {f"testdata/{path.name}" for path in (HERE / "testdata").iterdir()}
    assert recorded == {case["inputPath"] for case in HEALTH}


@pytest.mark.parametrize(("suspend", "expected"), [(False, "Healthy"), (True, "Suspended")])
def test_what_the_operator_writes_today_is_understood(suspend: bool, expected: str) -> None:
    subject = pipeline({"spec.suspend": suspend})
    body = subject.model_dump(mode="json", by_alias=True, exclude_unset=True)
    body["status"] = plan(settled(subject), SETTINGS).status
    assert run(HERE / "health.lua", body)["status"] == expected
    body["status"] = plan(observe(subject), SETTINGS).status
    assert run(HERE / "health.lua", body)["status"] == "Progressing"


@pytest.mark.parametrize("case", ACTIONS["actionTests"], ids=lambda case: case["action"])
def test_an_action_changes_suspend_and_nothing_else(case: dict[str, Any]) -> None:
    script = HERE / "actions" / case["action"] / "action.lua"
    changed = run(script, load(f"actions/{case['inputPath']}"))
    assert changed == load(f"actions/{case['expectedOutputPath']}")


@pytest.mark.parametrize("case", ACTIONS["discoveryTests"], ids=lambda case: case["inputPath"])
def test_only_the_action_that_does_something_is_offered(case: dict[str, Any]) -> None:
    found = run(HERE / "actions/discovery.lua", load(f"actions/{case['inputPath']}"))
    assert found == {one["name"]: {"disabled": one["disabled"]} for one in case["result"]}
