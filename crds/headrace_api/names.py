"""Names and labels of everything that Headrace creates for a pipeline. Pure.

A Deployment's name is cut at 46 characters, so that the pod's name (name, template hash, five
characters) fits in 63 and keeps the group; a CronJob's at 52, the API server's own limit.
"""

import hashlib
import re

from headrace_api import GROUP

DEPLOYMENT_NAME_LENGTH = 46
CRON_JOB_NAME_LENGTH = 52

PIPELINE_LABEL = f"{GROUP}/pipeline"
GROUP_LABEL = f"{GROUP}/group"
JOB_LABEL = f"{GROUP}/job"
"""On the pods of reclaim, trim and plugin Jobs, which must not match a Deployment's selector."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "headrace"

_HASH_LENGTH = 8
_LOOKS_HASHED = re.compile(r"(^|-)[0-9a-f]{8}$")
_EVERY_N_MINUTES = re.compile(r"^\*/(\d+)(?= )")


def deployment_name(namespace: str, pipeline: str, group: str) -> str:
    """`<pipeline>-<group>`, with a hash where that is too long or could be another pair's."""
    return _group_name(namespace, pipeline, group, DEPLOYMENT_NAME_LENGTH)


def reclaim_name(namespace: str, pipeline: str, group: str) -> str:
    """The reclaim CronJob's name: `<pipeline>-<group>-reclaim`."""
    suffix = "-reclaim"
    return _group_name(namespace, pipeline, group, CRON_JOB_NAME_LENGTH - len(suffix)) + suffix


def trim_name(namespace: str, pipeline: str) -> str:
    """The trim CronJob's name: `<pipeline>-trim`."""
    suffix = "-trim"
    limit = CRON_JOB_NAME_LENGTH - len(suffix)
    ambiguous = _LOOKS_HASHED.search(pipeline) is not None
    return _fitted(pipeline, limit, ambiguous, namespace, pipeline) + suffix


def config_map_name(pipeline: str, group: str, content_hash: str) -> str:
    """`<pipeline>-<group>-<hash>`; the content names its owner, so its hash tells pairs apart."""
    return f"{pipeline}-{group}-{content_hash}"


def service_account_name(pipeline: str) -> str:
    """Not `<pipeline>`: that name is likely to be somebody's already."""
    return f"{pipeline}-headrace"


def selector_labels(pipeline: str, group: str) -> dict[str, str]:
    """A Deployment's selector. It is immutable on the server: never change it."""
    return {PIPELINE_LABEL: pipeline, GROUP_LABEL: group}


def common_labels(pipeline: str, group: str | None = None) -> dict[str, str]:
    """Labels of every child; the operator watches by the managed-by label."""
    labels = {MANAGED_BY_LABEL: MANAGED_BY, PIPELINE_LABEL: pipeline}
    if group is not None:
        labels[GROUP_LABEL] = group
    return labels


def offset_schedule(schedule: str, namespace: str, name: str) -> str:
    """Moves `*/N` minutes by a hash of the name, so that a fleet does not start in one second.

    `*/5 * * * *` becomes for example `3-59/5 * * * *`. Other schedules come back unchanged.
    """
    every = _EVERY_N_MINUTES.match(schedule)
    if every is None or not 1 < int(every[1]) < 60:
        return schedule
    interval = int(every[1])
    first = int(_hash(namespace, name), 16) % min(interval, 60)
    return _EVERY_N_MINUTES.sub(f"{first}-59/{interval}", schedule)


def _group_name(namespace: str, pipeline: str, group: str, limit: int) -> str:
    # `a-b-c` is both a/b-c and a-b/c: only a group without a dash can be read back.
    ambiguous = "-" in group or _LOOKS_HASHED.search(group) is not None
    return _fitted(f"{pipeline}-{group}", limit, ambiguous, namespace, pipeline, group)


def _fitted(name: str, limit: int, ambiguous: bool, *parts: str) -> str:
    if not ambiguous and len(name) <= limit:
        return name
    return f"{name[: limit - _HASH_LENGTH - 1].rstrip('-')}-{_hash(*parts)}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
