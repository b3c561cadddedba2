"""The rule table: each refusal once, as CEL for the API server and as Python for everybody else.

A rule stands on an object, never on a field that could hold a secret: the API server prints the
value of the field that a rule stands on. `field` names the member to point at instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

RULE_ERROR = "headrace_rule"


@dataclass(frozen=True)
class Rule:
    """`cel` must be true on the server and `holds` in Python, else `sentence` says what to write.

    `holds` is None for transition rules (CEL's oldSelf), which only the server can judge.
    `reason`: with FieldValueForbidden and FieldValueRequired the server prints no value at all;
    with FieldValueDuplicate it drops the sentence, so that one is of no use. `below`: the member
    to point at where the server's schema knows none, as those of metadata.
    """

    cel: str
    sentence: str
    holds: Callable[[Any], bool] | None
    field: str = ""
    reason: str = "FieldValueInvalid"
    below: str = ""

    def as_cel(self) -> dict[str, str]:
        """One item of x-kubernetes-validations."""
        validation = {"rule": self.cel, "message": self.sentence}
        if self.field:
            validation["fieldPath"] = f".{self.field}"
        if self.reason != "FieldValueInvalid":
            validation["reason"] = self.reason
        return validation


def obey(subject: Any, rules: tuple[Rule, ...], info: ValidationInfo | None = None) -> None:
    """Raises one error that carries every broken rule, without those that the validation's context
    passes over."""
    passed_over = info.context if info is not None and info.context else ()
    broken = [
        rule
        for rule in rules
        if rule.holds is not None and rule not in passed_over and not rule.holds(subject)
    ]
    if broken:
        text = "; ".join(rule.sentence for rule in broken)
        raise PydanticCustomError(RULE_ERROR, "{text}", {"text": text, "broken": broken})


class Shape(BaseModel):
    """An object in the spec: camelCase on the wire, frozen, unknown fields refused.

    Refusals never repeat the value that they refuse: it may be a password in the wrong place.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey_rules(self, info: ValidationInfo) -> Self:
        obey(self, self.rules, info)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        json_schema = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            json_schema["x-kubernetes-validations"] = [rule.as_cel() for rule in cls.rules]
        return json_schema

    def manifest(self) -> dict[str, Any]:
        """What the user wrote, and nothing else, as it stands in YAML."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
