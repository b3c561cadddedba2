"""The conditions of every pipeline's status, for Prometheus and its alerts.

Read at each scrape from the cache, so that a series ends with its pipeline. Label values are names
and words from closed sets; none needs escaping.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace_operator.kube.cache import Cache, split

NAME = "headrace_pipeline_condition"
HELP = "1 for the present status and reason of each condition."


class Conditions:
    """`text()` is the exposition; empty unless `leads()`, so that only one replica has it."""

    def __init__(self, cache: Cache, leads: Callable[[], bool]) -> None:
        self._cache = cache
        self._leads = leads

    def text(self) -> str:
        lines = []
        for key in self._cache.pipelines() if self._leads() else ():
            namespace, name = split(key)
            live = self._cache.pipeline(key) or {}
            for condition in (live.get("status") or {}).get("conditions") or ():
                labels = (
                    f'namespace="{namespace}",pipeline="{name}",type="{condition["type"]}",'
                    f'status="{condition["status"]}",reason="{condition["reason"]}"'
                )
                lines.append(f"{NAME}{{{labels}}} 1\n")
        if not lines:
            return ""
        return f"# HELP {NAME} {HELP}\n# TYPE {NAME} gauge\n" + "".join(lines)
