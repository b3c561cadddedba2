"""What the API server did not do, collected so that the rest of a pass goes on. Pure."""

from __future__ import annotations

from headrace_operator.kube.api_server import ApiError, ApiUnreachable
from headrace_operator.plan.observation import ChildRef, Failure

_POLICY = "ask whoever runs the cluster for the right or the policy"
_RETRIED = "it is tried again; if this lasts, look at the API server and its admission webhooks"


def failure_of(error: ApiError | ApiUnreachable, ref: ChildRef | None = None) -> Failure:
    """The error in the API server's own words, and what to do about it."""
    what = f"{ref.kind} {ref.name}: " if ref is not None else ""
    if isinstance(error, ApiUnreachable):
        return Failure(f"{what}{error}; {_RETRIED}")
    said = error.message.rstrip(".")
    if error.is_forbidden:
        return Failure(f"{what}the API server forbids it: {said}; {_POLICY}", forbidden=True)
    return Failure(f"{what}the API server answered {error.status}: {said}; {_RETRIED}")
