"""Ends the workers of a pipeline that is being deleted, and tells which are still there.

Asked of the API server, by the controller's uid: a cache behind a selector does not see an object
whose label was edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headrace_api.names import PIPELINE_LABEL
from headrace_operator.kube.api_server import ApiServer
from headrace_operator.kube.kinds import (
    BY_KIND,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    Manifest,
)
from headrace_operator.plan import pod_health

POD_OWNERS = (CRON_JOB, DEPLOYMENT, JOB)


async def end_workers(api: ApiServer, live: Manifest) -> tuple[list[str], float]:
    """Deletes what makes pods. What is left of it, and of the pods: kind/name of each; and the
    longest that pods may take by their own word, in seconds.

    Raises ApiError, ApiUnreachable.
    """
    namespace, uid = live["metadata"]["namespace"], live["metadata"]["uid"]
    makers = {}
    for kind in POD_OWNERS:
        for one in (await api.list_all(kind, namespace))[0]:
            makers[one["metadata"]["uid"]] = one
    ours = {
        found: one
        for found, one in makers.items()
        if _controller(one) == uid and one["kind"] != JOB.kind  # a Job's is its CronJob
    }
    for one in ours.values():
        if "deletionTimestamp" not in one["metadata"]:
            identity = {name: one["metadata"][name] for name in ("namespace", "name", "uid")}
            await api.delete(BY_KIND[one["kind"]], {"metadata": identity})
    selector = f"{PIPELINE_LABEL}={live['metadata']['name']}"
    sets, _ = await api.list_all(REPLICA_SET, namespace, label_selector=selector)
    pods, _ = await api.list_all(POD, namespace, label_selector=selector)
    graces = (pod["spec"].get("terminationGracePeriodSeconds", 30) for pod in pods)
    awaited = (*ours.values(), *_still_writing(pods, sets, makers, ours))
    names = [f"{one['kind']}/{one['metadata']['name']}" for one in awaited]
    return names, max(graces, default=0)


def _still_writing(
    pods: Iterable[Manifest],
    sets: Iterable[Manifest],
    makers: Mapping[str, Manifest],
    ours: Mapping[str, Manifest],
) -> Iterator[Manifest]:
    """Pods that may still write to Redis. Not those that have finished, that somebody took out of
    their ReplicaSet, or whose Deployment somebody orphaned. `makers` and `ours` go by uid."""
    strangers = makers.keys() - ours.keys()
    orphaned = {
        one["metadata"]["uid"]
        for one in (*sets, *makers.values())
        if one["metadata"]["uid"] not in ours
        and (_controller(one) is None or _controller(one) in strangers)
    }
    for pod in pods:
        if _controller(pod) not in {None, *orphaned} and not pod_health.is_finished(pod):
            yield pod


def _controller(child: Manifest) -> str | None:
    for reference in child["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None
