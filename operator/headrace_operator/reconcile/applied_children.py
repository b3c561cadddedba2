"""What an apply of a child would change, and what its answer teaches. No calls of anything."""

from __future__ import annotations

import logging
from dataclasses import replace

from headrace_operator.kube.apply_diff import Difference, differences, readable
from headrace_operator.plan import Apply
from headrace_operator.plan.observation import Manifest
from headrace_operator.reconcile.memory import AppliedChildren, Rejection

logger = logging.getLogger(__name__)

# A quota, a policy or a right may be mended at any time, and no status code tells these from what
# only another spec mends. Less than the time after which a pipeline with a problem is looked at.
RETRY_REJECTED_SECONDS = 5.0
# Who else may write as our field manager: the operator of a second installation.
ANOTHER_OPERATOR = "another Headrace operator"


def to_put_right(apply: Apply, live: Manifest, known: AppliedChildren) -> list[Difference]:
    """What an apply would change; empty when there is nothing, or nothing may be done now."""
    checked = (live["metadata"]["resourceVersion"], apply.digest)
    if known.contained.get(apply.ref) == checked:
        known.rejections.pop(apply.ref, None)  # of another manifest, taken back since
        return []
    digest, fields = known.unsettled.get(apply.ref, ("", frozenset()))
    unsettled = fields if digest == apply.digest else frozenset()
    found = [one for one in differences(apply.manifest, live) if one.path not in unsettled]
    if known.digests.get(apply.ref) == apply.digest:
        found = [_written_by_another(one) for one in found]
    if not found:
        known.contained[apply.ref] = checked
    if not found or not known.conflicts.allow(apply.ref, found):
        known.rejections.pop(apply.ref, None)
        return []
    return found


def was_rejected(apply: Apply, known: AppliedChildren, now: float) -> bool:
    """Whether the API server refused the same manifest a short time ago."""
    earlier = known.rejections.get(apply.ref)
    return (
        earlier is not None
        and earlier.manifest == apply.manifest
        and now < earlier.at + RETRY_REJECTED_SECONDS
    )


def remember_rejection(apply: Apply, message: str, known: AppliedChildren, now: float) -> bool:
    """Whether the API server's message is a new one."""
    earlier = known.rejections.get(apply.ref)
    known.rejections[apply.ref] = Rejection(message, apply.manifest, now)
    return earlier is None or earlier.message != message


def remember_applied(
    apply: Apply, found: list[Difference], answer: Manifest, known: AppliedChildren
) -> None:
    """`found`: the differences that were put right. `answer`: the child as it is stored now."""
    known.conflicts.count(apply.ref, found)
    known.digests[apply.ref] = apply.digest
    known.rejections.pop(apply.ref, None)
    if remaining := frozenset(one.path for one in differences(apply.manifest, answer)):
        # Without this, such a field would be applied again and again, for ever.
        logger.warning(
            "the API server stores %s %s otherwise than it was sent: %s",
            *apply.ref,
            ", ".join(sorted(map(readable, remaining))),
        )
        known.unsettled[apply.ref] = apply.digest, remaining
    else:
        known.unsettled.pop(apply.ref, None)


def _written_by_another(difference: Difference) -> Difference:
    """Of what we applied ourselves: a field of ours with another value is not of our making."""
    return replace(difference, taken_by=ANOTHER_OPERATOR) if difference.is_ours else difference
