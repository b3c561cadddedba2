"""The smallest patch that makes the status what it should be."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace_operator.reconcile.status_writer import merge_patch

values = st.recursive(
    st.one_of(st.integers(), st.text(max_size=2)),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner), st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), values)


def patched(target: Any, patch: Any) -> Any:
    """RFC 7386, as its authors wrote it down."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


@given(objects, objects)
def test_the_patch_leads_from_the_current_to_the_wanted(
    current: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert patched(current, merge_patch(current, wanted)) == wanted


@given(objects)
def test_nothing_is_written_when_nothing_differs(current: dict[str, Any]) -> None:
    assert merge_patch(current, json.loads(json.dumps(current))) == {}
