"""Watch events, lists and answers to our own writes, in any order."""

from __future__ import annotations

from typing import Any

from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import DEPLOYMENT, POD, REDIS_CONNECTION, STREAM_PIPELINE


def child(name: str, version: int, owner: str | None = "p", uid: str = "u1") -> dict[str, Any]:
    references = [
        {"apiVersion": "headrace.dev/v1alpha1", "kind": "StreamPipeline", "name": owner}
        | {"uid": "p1", "controller": True}
    ]
    metadata = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(version)}
    if owner:
        metadata["ownerReferences"] = references  # type: ignore[assignment]
    return {"kind": "Deployment", "metadata": metadata}


def test_an_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    assert cache.put(DEPLOYMENT, child("d", 10)) == {"n/p"}
    assert cache.put(DEPLOYMENT, child("d", 9)) == set()
    found = cache.get("Deployment", "n", "d")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "10"


def test_a_late_list_does_not_revive_what_was_deleted() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 10))
    assert cache.remove(DEPLOYMENT, child("d", 11)) == {"n/p"}
    assert cache.replace_all(DEPLOYMENT, None, [child("d", 10)], "10") == set()
    assert cache.get("Deployment", "n", "d") is None


def test_a_list_removes_what_it_lacks_unless_that_is_newer() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("old", 10, uid="u1"))
    cache.put(DEPLOYMENT, child("new", 30, uid="u2"))
    assert cache.replace_all(DEPLOYMENT, None, [], "20") == {"n/p"}
    assert [c["metadata"]["name"] for c in cache.children("n/p")] == ["new"]


def test_after_a_restore_of_etcd_the_list_counts_and_no_version_of_before() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("changed", 80, uid="u1"))
    cache.put(DEPLOYMENT, child("made since", 90, uid="u2"))
    cache.put(DEPLOYMENT, child("deleted since", 40, uid="u3"))
    cache.remove(DEPLOYMENT, child("deleted since", 95, uid="u3"))
    cache.put(POD, child("a pod", 99, uid="u4"))
    restored = [child("changed", 30, uid="u1"), child("deleted since", 40, uid="u3")]
    assert cache.replace_all(DEPLOYMENT, None, restored, "50", cache.newest(DEPLOYMENT)) == {"n/p"}
    found = {one["metadata"]["name"]: one["metadata"] for one in cache.children("n/p")}
    assert sorted(found) == ["changed", "deleted since"]
    assert found["changed"]["resourceVersion"] == "30"
    assert cache.get("Pod", "n", "a pod"), "another kind has a list of its own"


def test_a_list_of_one_namespace_says_nothing_about_the_others() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 10))
    assert cache.replace_all(DEPLOYMENT, "another", [], "20") == set()


def test_a_deletion_of_an_earlier_namesake_is_not_taken_for_this_one() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 20, uid="second"))
    assert cache.remove(DEPLOYMENT, child("d", 10, uid="first")) == set()
    assert cache.get("Deployment", "n", "d") is not None


def test_a_child_that_changes_its_owner_wakes_both() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 1, owner="a"))
    assert cache.put(DEPLOYMENT, child("d", 2, owner="b")) == {"n/a", "n/b"}
    assert list(cache.children("n/a")) == []


def test_pods_belong_by_label_and_are_told_from_children() -> None:
    cache = Cache()
    pod = child("pod", 1, owner=None)
    pod["kind"] = "Pod"
    pod["metadata"]["labels"] = {"headrace.dev/pipeline": "p"}
    assert cache.put(POD, pod) == {"n/p"}
    assert list(cache.pods("n/p")) == [pod]
    assert list(cache.children("n/p")) == []


def test_a_strangers_object_is_found_by_name_only() -> None:
    cache = Cache()
    assert cache.put(DEPLOYMENT, child("d", 1, owner=None)) == set()
    assert cache.get("Deployment", "n", "d") is not None


def test_pipelines_are_their_own_owners() -> None:
    cache = Cache()
    pipeline = child("p", 1, owner=None)
    assert cache.put(STREAM_PIPELINE, pipeline) == {"n/p"}
    assert cache.pipelines() == ["n/p"]
    assert cache.remove(STREAM_PIPELINE, pipeline) == {"n/p"}
    assert cache.pipelines() == []


def test_who_changes_what_he_was_given_changes_nothing_for_others() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 1))
    taken = cache.get("Deployment", "n", "d")
    assert taken is not None
    taken["metadata"]["name"] = "spoilt"
    assert [c["metadata"]["name"] for c in cache.children("n/p")] == ["d"]


def test_who_owns_which_field_is_kept_only_of_what_is_applied() -> None:
    cache = Cache()
    for kind in (DEPLOYMENT, POD):
        seen = child(kind.plural, 1)
        seen["metadata"]["managedFields"] = [{"manager": "headrace"}]
        cache.put(kind, seen)
        assert "managedFields" in seen["metadata"], "what was handed in is not changed"
    (deployment,), (pod,) = cache.children("n/p"), cache.pods("n/p")
    assert deployment["metadata"]["managedFields"] == [{"manager": "headrace"}]
    assert "managedFields" not in pod["metadata"]


def test_what_left_the_selector_lives_on_and_is_seen_again_when_it_changes() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 10))
    # The API server reports DELETED for an object whose label was edited, at that edit's version.
    assert cache.remove(DEPLOYMENT, child("d", 11)) == {"n/p"}
    assert cache.put(DEPLOYMENT, child("d", 11)) == set(), "a late event of before"
    assert cache.put(DEPLOYMENT, child("d", 12)) == {"n/p"}, "its label was put right"
    assert [c["metadata"]["name"] for c in cache.children("n/p")] == ["d"]


def test_what_was_read_live_is_there_whatever_a_watch_has_said() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 10))
    cache.remove(DEPLOYMENT, child("d", 11))
    cache.revive(DEPLOYMENT, child("d", 11))
    assert cache.get("Deployment", "n", "d") is not None


def test_a_deletion_of_our_own_counts_at_the_version_we_knew() -> None:
    cache = Cache()
    cache.put(DEPLOYMENT, child("d", 10))
    del (gone := child("d", 0))["metadata"]["resourceVersion"]
    assert cache.remove(DEPLOYMENT, gone) == {"n/p"}
    assert cache.put(DEPLOYMENT, child("d", 10)) == set()


def pipeline_on(connection: str | None, version: int) -> dict[str, Any]:
    metadata = {"namespace": "n", "name": "p", "uid": "p1", "resourceVersion": str(version)}
    redis = {"connectionRef": {"name": connection}} if connection else {"endpoints": ["a:1"]}
    return {"kind": "StreamPipeline", "metadata": metadata, "spec": {"redis": redis}}


def connection(name: str, version: int, generation: int) -> dict[str, Any]:
    metadata = {"namespace": "n", "name": name, "uid": name, "resourceVersion": str(version)}
    return {"kind": "RedisConnection", "metadata": {**metadata, "generation": generation}}


def test_a_connection_wakes_the_pipelines_that_name_it_and_its_status_nobody() -> None:
    cache = Cache()
    cache.put(STREAM_PIPELINE, pipeline_on("shared", 1))
    assert cache.put(REDIS_CONNECTION, connection("shared", 2, 1)) == {"n/p"}
    assert cache.put(REDIS_CONNECTION, connection("shared", 3, 1)) == set()
    assert cache.put(REDIS_CONNECTION, connection("shared", 4, 2)) == {"n/p"}
    assert cache.put(REDIS_CONNECTION, connection("other", 5, 1)) == set()
    assert cache.remove(REDIS_CONNECTION, connection("shared", 6, 2)) == {"n/p"}


def test_a_pipeline_uses_the_connection_that_it_names_now() -> None:
    cache = Cache()
    cache.put(STREAM_PIPELINE, pipeline_on("shared", 1))
    assert cache.users("n/shared") == {"n/p"}
    cache.put(STREAM_PIPELINE, pipeline_on("other", 2))
    assert not cache.users("n/shared")
    assert cache.users("n/other") == {"n/p"}
    cache.put(STREAM_PIPELINE, pipeline_on(None, 3))
    assert not cache.users("n/other")


def test_what_is_stored_in_another_shape_names_no_connection() -> None:
    odd = pipeline_on("shared", 1)
    odd["spec"] = {"redis": {"connectionRef": "shared"}}
    Cache().put(STREAM_PIPELINE, odd)
