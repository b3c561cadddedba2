"""Names fit where Kubernetes puts them, and no two pipelines share one."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace_api import cron, names

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def labels(longest: int) -> st.SearchStrategy[str]:
    inner = st.text("abz019-", max_size=longest - 2)
    edge = st.sampled_from("abz019")
    return st.one_of(edge, st.builds(lambda a, b, c: a + b + c, edge, inner, edge))


PIPELINES = labels(52)
GROUPS = labels(30)


@given(labels(63), PIPELINES, GROUPS)
@example("n", "a" * 52, "b" * 30)
@example("n", "a" + "-" * 36 + "a", "b-c")
def test_every_name_is_a_label_within_its_limit(namespace, pipeline, group) -> None:
    deployment = names.deployment_name(namespace, pipeline, group)
    reclaim = names.reclaim_name(namespace, pipeline, group)
    trim = names.trim_name(namespace, pipeline)
    assert len(deployment) <= 46
    assert len(reclaim) <= 52
    assert len(trim) <= 52
    for name in (deployment, reclaim, trim, names.service_account_name(pipeline)):
        assert LABEL.fullmatch(name)
        assert len(name) <= 63


def _children(namespace: str, pipeline: str, group: str) -> set[tuple[str, str]]:
    return {
        ("Deployment", names.deployment_name(namespace, pipeline, group)),
        ("CronJob", names.reclaim_name(namespace, pipeline, group)),
        ("CronJob", names.trim_name(namespace, pipeline)),
    }


@given(labels(63), PIPELINES, GROUPS, PIPELINES, GROUPS)
@example("n", "a", "b-c", "a-b", "c")
@example("n", "a", "b-reclaim", "a-b", "reclaim")
@example("n", "a" * 52, "b", "a" * 52, "c")
@example("n", "a-00000000", "b", "a", "00000000")
@example("n", "a" * 47, "x", "a" * 48, "x")
def test_two_pairs_of_pipeline_and_group_never_share_a_child(
    namespace, pipeline, group, other_pipeline, other_group
) -> None:
    if (pipeline, group) == (other_pipeline, other_group):
        return
    ours = _children(namespace, pipeline, group)
    theirs = _children(namespace, other_pipeline, other_group)
    if pipeline == other_pipeline:
        theirs.discard(("CronJob", names.trim_name(namespace, pipeline)))
    assert not ours & theirs


def test_a_deployment_is_called_after_pipeline_and_group() -> None:
    assert names.deployment_name("airport", "flights", "delays") == "flights-delays"
    assert names.reclaim_name("airport", "flights", "delays") == "flights-delays-reclaim"
    assert names.trim_name("airport", "flights") == "flights-trim"
    assert names.config_map_name("flights", "delays", "0a") == "flights-delays-0a"
    assert names.service_account_name("flights") == "flights-headrace"


def test_names_do_not_change_between_releases() -> None:
    """A renamed Deployment would be a second one beside the first."""
    assert names.deployment_name("airport", "a", "b-c") == "a-b-c-3e8d7397"
    assert (
        names.deployment_name("airport", "a" * 52, "delays")
        == "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-4f963766"
    )


def test_the_selector_is_part_of_the_labels_and_leaves_room_for_none_else() -> None:
    selector = names.selector_labels("flights", "delays")
    assert selector == {"headrace.dev/pipeline": "flights", "headrace.dev/group": "delays"}
    labels_of_child = names.common_labels("flights", "delays")
    assert labels_of_child == {**selector, "app.kubernetes.io/managed-by": "headrace"}
    assert names.GROUP_LABEL not in names.common_labels("flights")


@given(st.integers(2, 59), labels(63), PIPELINES)
def test_an_offset_schedule_keeps_its_interval(interval, namespace, name) -> None:
    moved = names.offset_schedule(f"*/{interval} * * * *", namespace, name)
    first, last = re.fullmatch(rf"(\d+)-(\d+)/{interval} \* \* \* \*", moved).groups()
    assert 0 <= int(first) < interval
    assert last == "59"
    assert cron.problem(moved) is None


def test_a_fleet_is_spread_over_the_interval() -> None:
    moved = {names.offset_schedule("*/15 * * * *", "n", f"p{i}") for i in range(200)}
    assert len(moved) == 15


@pytest.mark.parametrize("schedule", ["* * * * *", "7 * * * *", "@hourly", "*/1 * * * *"])
def test_a_schedule_without_an_interval_stays(schedule) -> None:
    assert names.offset_schedule(schedule, "n", "p") == schedule
