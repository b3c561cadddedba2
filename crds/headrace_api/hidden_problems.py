"""Rules that a mistake elsewhere kept from being asked. Pure.

An object's rules are asked when its shape fits and no object inside it broke one. So the manifest
is looked at again: without the members that are wrong, and then without the rules that have spoken.
A rule that reads a member which was taken away is not asked: it would speak of the hole.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headrace_api.rules import RULE_ERROR, Rule

Location = tuple[int | str, ...]


@dataclass
class _PassedOver:
    """The rules that are not asked: those that have spoken, and those that read what is gone."""

    gone: frozenset[str]
    spoken: set[Rule] = field(default_factory=set)

    def __contains__(self, rule: Rule) -> bool:
        return rule in self.spoken or any(_reads(rule, name) for name in self.gone)


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong, without the values that are."""
    return error.errors(include_url=False, include_input=False)


def hidden(
    manifest: Mapping[str, Any], model: type[BaseModel], found: Sequence[ErrorDetails]
) -> list[ErrorDetails]:
    """The broken rules that stand behind the problems `found` at first sight."""
    rest = copy.deepcopy(dict(manifest))
    shapes = [detail["loc"] for detail in found if detail["type"] != RULE_ERROR]
    passed_over = _PassedOver(frozenset(str(at[-1]) for at in shapes if _taken(rest, at)))
    known = {(one["loc"], rule) for one in found for rule in _broken(one)}
    more: list[ErrorDetails] = []
    while details := _rules_broken(rest, model, passed_over):
        for detail in details:
            broken = [rule for rule in _broken(detail) if (detail["loc"], rule) not in known]
            if broken:
                more.append({**detail, "ctx": {**detail["ctx"], "broken": broken}})
            passed_over.spoken.update(_broken(detail))
    return more


def _rules_broken(
    manifest: Mapping[str, Any], model: type[BaseModel], passed_over: _PassedOver
) -> list[ErrorDetails]:
    try:
        model.model_validate(manifest, context=passed_over)
    except ValidationError as error:
        return [detail for detail in details_of(error) if detail["type"] == RULE_ERROR]
    return []


def _broken(detail: ErrorDetails) -> list[Rule]:
    return list(detail.get("ctx", {}).get("broken", ()))


def _reads(rule: Rule, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", rule.cel) is not None


def _taken(manifest: Any, location: Location) -> bool:
    """Take a member out of the object it stands in; False where there is none. Items of a list
    stay: the places of the others would change."""
    *parents, last = location
    for part in parents:
        inside = isinstance(manifest, list) and isinstance(part, int)
        if inside or (isinstance(manifest, dict) and part in manifest):
            manifest = manifest[part]
        elif part not in ("int", "str"):  # pydantic's names of a union's members
            return False
    if not isinstance(manifest, dict) or last not in manifest:
        return False
    del manifest[last]
    return True
