"""When is nothing to be written?"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_operator.kube.apply_diff import differences


def deployment(**changes: Any) -> dict[str, Any]:
    container = {
        "name": "worker",
        "image": "worker:1",
        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}},
        "args": ["worker"],
    } | changes
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "labels": {"a": "b"}},
        "spec": {
            "replicas": 0,
            "template": {
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1024Mi"}}],
                    "nodeSelector": {},
                }
            },
        },
    }


def as_server_stores(desired: dict[str, Any]) -> dict[str, Any]:
    """Defaults added, quantities canonical, empty things dropped, other managers' additions."""
    live = copy.deepcopy(desired)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 2}
    spec = live["spec"]["template"]["spec"]
    del spec["nodeSelector"]
    container = spec["containers"][0]
    container["resources"] = {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "500m"},
    }
    container["ports"][0]["protocol"] = "TCP"
    container["imagePullPolicy"] = "IfNotPresent"
    container["env"] = [{"name": "SIDECAR", "value": "x"}, {"name": "EMPTY"}, *container["env"][:1]]
    spec["containers"].insert(0, {"name": "istio", "image": "proxy"})
    spec["volumes"][0]["emptyDir"]["sizeLimit"] = "1Gi"
    spec["restartPolicy"] = "Always"
    live["status"] = {"replicas": 0}
    return live


def test_what_the_server_adds_or_normalises_is_no_difference() -> None:
    assert differences(deployment(), as_server_stores(deployment())) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"image": "worker:2"}, "spec.template.spec.containers[name=worker].image"),
        (
            {"env": [{"name": "A", "value": "2"}]},
            "spec.template.spec.containers[name=worker].env[name=A].value",
        ),
        (
            {"env": [{"name": "B", "value": "1"}]},
            "spec.template.spec.containers[name=worker].env[name=B]",
        ),
        ({"args": ["worker", "-v"]}, "spec.template.spec.containers[name=worker].args"),
        (
            {"resources": {"limits": {"cpu": "1001m"}}},
            "spec.template.spec.containers[name=worker].resources.limits.cpu",
        ),
        ({"tty": True}, "spec.template.spec.containers[name=worker].tty"),
    ],
)
def test_a_changed_field_is_named(change: dict[str, Any], where: str) -> None:
    found = differences(deployment(**change), as_server_stores(deployment()))
    assert [str(difference) for difference in found] == [where]


def owned_by(manager: str, path: dict[str, Any], **entry: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": path} | entry


def test_a_field_of_an_earlier_apply_that_is_no_longer_desired_is_a_difference() -> None:
    desired = deployment()
    live = as_server_stores(deployment())
    env = {'k:{"name":"OLD"}': {".": {}, "f:name": {}, "f:value": {}}}
    path = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"worker"}': {"f:env": env}}}}}
    live["metadata"]["managedFields"] = [owned_by("headrace", {"f:spec": path})]
    worker = "spec.template.spec.containers[name=worker]"
    assert {str(d) for d in differences(desired, live)} == {
        f"{worker}.env[name=OLD].name",
        f"{worker}.env[name=OLD].value",
    }


def test_all_kinds_of_owned_paths_are_found_in_the_manifest_that_made_them() -> None:
    desired = deployment()
    desired["metadata"] |= {
        "finalizers": ["x/y"],
        "ownerReferences": [{"uid": "u1", "kind": "K", "name": "n", "apiVersion": "v"}],
    }
    live = as_server_stores(desired)
    live["metadata"]["managedFields"] = [
        owned_by(
            "headrace",
            {
                "f:metadata": {
                    "f:labels": {"f:a": {}},
                    "f:finalizers": {'v:"x/y"': {}},
                    "f:ownerReferences": {'k:{"uid":"u1"}': {}},
                },
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {
                        "f:spec": {
                            "f:nodeSelector": {},
                            "f:containers": {
                                'k:{"name":"worker"}': {
                                    ".": {},
                                    "f:args": {},
                                    "f:ports": {
                                        'k:{"containerPort":8080,"protocol":"TCP"}': {
                                            ".": {},
                                            "f:containerPort": {},
                                        }
                                    },
                                }
                            },
                        }
                    },
                },
            },
        )
    ]
    assert differences(desired, live) == []


def test_the_manager_that_took_a_field_is_named() -> None:
    live = as_server_stores(deployment())
    live["spec"]["replicas"] = 4
    live["metadata"]["managedFields"] = [
        owned_by("kubectl", {"f:spec": {"f:replicas": {}}}, operation="Update", subresource="scale")
    ]
    (found,) = differences(deployment(), live)
    assert (str(found), found.taken_by) == ("spec.replicas", "kubectl")


def test_a_change_of_our_own_mind_is_nobodys_conflict() -> None:
    live = as_server_stores(deployment())
    live["spec"]["replicas"] = 4
    live["metadata"]["managedFields"] = [owned_by("headrace", {"f:spec": {"f:replicas": {}}})]
    (found,) = differences(deployment(), live)
    assert found.taken_by is None


scalars = st.one_of(st.integers(1, 5), st.text("abc", min_size=1, max_size=3), st.booleans())
manifests = st.recursive(
    st.dictionaries(st.sampled_from("pqrs"), scalars, min_size=1),
    lambda inner: st.dictionaries(
        st.sampled_from("pqrs"), st.one_of(inner, st.lists(inner, max_size=3)), min_size=1
    ),
    max_leaves=12,
)


@given(desired=manifests, extra=scalars)
def test_a_manifest_is_contained_in_itself_with_additions(
    desired: dict[str, Any], extra: Any
) -> None:
    def with_additions(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: with_additions(item) for name, item in value.items()} | {"zz": extra}
        if isinstance(value, list):
            return [with_additions(item) for item in value]
        return value

    assert differences(desired, with_additions(desired)) == []


@given(desired=manifests, data=st.data())
def test_any_single_changed_scalar_is_seen(desired: dict[str, Any], data: st.DataObject) -> None:
    paths: list[tuple[Any, ...]] = []

    def walk(value: Any, path: tuple[Any, ...]) -> None:
        items = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        for name, item in items:
            walk(item, (*path, name))
        if not isinstance(value, dict | list):
            paths.append(path)

    walk(desired, ())
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    live = copy.deepcopy(desired)
    holder: Any = live
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "another value"
    assert differences(desired, live)
