"""What is wrong with a manifest, told without an API server. Pure.

The same rules as the API server's, told by the same sentences, and a few that only a look at the
whole shows. No problem repeats a value of the manifest: it may be a password in the wrong place.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headrace_api import API_VERSION, CONNECTION_KIND, KIND, cron
from headrace_api.hidden_problems import details_of, hidden
from headrace_api.rules import RULE_ERROR, Shape
from headrace_api.schema import Schema, structural
from headrace_api.v1alpha1 import (
    Group,
    RedisConnection,
    RedisConnectionSpec,
    Runtime,
    StreamPipeline,
    StreamPipelineSpec,
)

_ROOT_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
LOOKS_SECRET = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|CREDENTIALS?)$", re.IGNORECASE)


class Severity(StrEnum):
    """An error is refused or cannot work; a warning works, and probably not as meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One thing to put right: where (`spec.groups[0].worker`) and what to write instead."""

    path: str
    sentence: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        if self.path and self.sentence.startswith(f"{self.path} "):
            return self.sentence
        return ": ".join(filter(None, (self.path, self.sentence)))


def problems(manifest: object) -> list[Problem]:
    """Every problem of one StreamPipeline or RedisConnection, errors first; empty when it is
    fine."""
    if not isinstance(manifest, Mapping):
        return [Problem("", f"a {KIND} is a mapping with apiVersion, kind, metadata and spec")]
    found = list(_identity(manifest))
    is_connection = manifest.get("kind") == CONNECTION_KIND
    try:
        if is_connection:
            RedisConnection.model_validate(dict(manifest))
            return found
        pipeline = StreamPipeline.model_validate(dict(manifest))
    except ValidationError as error:
        model = RedisConnection if is_connection else StreamPipeline
        schema = _schema(RedisConnectionSpec if is_connection else StreamPipelineSpec)
        details = details_of(error)
        details += hidden(manifest, model, details)
        return found + [problem for detail in details for problem in _translated(detail, schema)]
    trim = pipeline.spec.stream.trim
    found += _schedule(trim.schedule if trim is not None else None, "spec.stream.trim")
    for index, group in enumerate(pipeline.spec.groups):
        found += _doubts(group, f"spec.groups[{index}]")
    return sorted(found, key=lambda problem: problem.severity is Severity.WARNING)


def _identity(manifest: Mapping[str, Any]) -> Iterator[Problem]:
    if manifest.get("apiVersion") != API_VERSION:
        yield Problem("apiVersion", f"write apiVersion: {API_VERSION}")
    if manifest.get("kind") not in (KIND, CONNECTION_KIND):
        yield Problem("kind", f"write kind: {KIND}")
    for name in manifest:
        if name not in _ROOT_FIELDS:
            yield Problem(str(name), f"unknown field{_meant(str(name), _ROOT_FIELDS)}")


def _translated(detail: ErrorDetails, schema: Schema) -> Iterator[Problem]:
    location = [part for part in detail["loc"] if part not in ("int", "str")]
    path = _path(location)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == RULE_ERROR:
        for rule in context["broken"]:
            yield Problem(".".join(filter(None, (path, rule.field or rule.below))), rule.sentence)
    elif kind == "missing":
        yield Problem(path, "is required")
    elif kind == "extra_forbidden":
        known = _fields_at(location[:-1], schema)
        yield Problem(path, f"unknown field{_meant(str(location[-1]), known)}")
    elif kind == "enum":
        yield Problem(path, f"must be one of {context['expected'].replace(chr(39), '')}")
    elif kind in ("model_type", "dict_type"):
        yield Problem(path, "must be an object with fields")
    elif kind == "string_pattern_mismatch":
        yield Problem(path, f"must match {context['pattern']}")
    else:
        sentence = detail["msg"].removeprefix("Value error, ")
        yield Problem(path, sentence[:1].lower() + sentence[1:])


def _path(location: list[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


@cache
def _schema(spec: type[Shape]) -> Schema:
    return {"properties": {"spec": structural(spec)}}


def _fields_at(location: list[int | str], schema: Schema) -> list[str]:
    for part in location:
        inner = schema["items"] if isinstance(part, int) else schema.get("properties", {}).get(part)
        if inner is None:
            return []
        schema = inner
    return list(schema.get("properties", {}))


def _meant(name: str, known: list[str] | tuple[str, ...]) -> str:
    lower = {field.lower(): field for field in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    if close:
        return f"; did you mean {lower[close[0]]}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _doubts(group: Group, path: str) -> Iterator[Problem]:
    """What the API server lets pass."""
    yield from _timing(group, path)
    yield from _schedule(group.reclaim.schedule, f"{path}.reclaim")
    for index, variable in enumerate(group.worker.env or ()):
        if variable.value and LOOKS_SECRET.search(variable.name):
            yield Problem(
                f"{path}.worker.env[{index}]",
                "looks like a secret in plain text; take it from a Secret by"
                " valueFrom.secretKeyRef",
                Severity.WARNING,
            )


def _schedule(schedule: str | None, path: str) -> Iterator[Problem]:
    wrong = cron.problem(schedule) if schedule is not None else None
    if wrong is not None:
        yield Problem(f"{path}.schedule", wrong)


def _timing(group: Group, path: str) -> Iterator[Problem]:
    delivery = group.delivery
    custom = group.worker.runtime is Runtime.CUSTOM
    if custom and group.wants_reclaim_job and delivery.min_idle < delivery.handler_timeout:
        yield Problem(
            f"{path}.delivery.minIdle",
            "is shorter than handlerTimeout: entries that a Custom worker still handles would be"
            " reclaimed; make minIdle longer than its longest run",
            Severity.WARNING,
        )
    if group.termination_grace_seconds < delivery.handler_timeout.total_seconds():
        yield Problem(
            f"{path}.worker.podTemplate.spec.terminationGracePeriodSeconds",
            "is shorter than handlerTimeout: handlers would be killed when workers are taken away",
            Severity.WARNING,
        )
