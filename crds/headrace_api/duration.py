"""Durations as Kubernetes writes them (GEP-2257): `30s`, `1m30s`, `168h`, `250ms`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

PATTERN = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
MAX_LENGTH = 20
# Ten years.
LONGEST = "87600h"
SENTENCE = "a duration is written like 30s, 5m or 168h (units h, m, s, ms)"
SHAPE_RULE = f"self.matches('{PATTERN}')"

_SHAPE = re.compile(PATTERN.replace("$", r"\Z"))
_PART = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def parse(text: str) -> timedelta:
    """Reads `1h30m`; raises ValueError on other units and bare numbers (`1d`, `60`)."""
    if len(text) > MAX_LENGTH or _SHAPE.match(text) is None:
        raise ValueError(SENTENCE)
    return timedelta(milliseconds=sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(text)))


def format_duration(value: timedelta) -> str:
    """Writes the largest units first: 90 s is `1m30s`. Anything below 1 ms is cut off."""
    rest = value // timedelta(milliseconds=1)
    text = ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"


@dataclass(frozen=True)
class Between:
    """Annotates a timedelta that is a duration string on the wire, within bounds."""

    shortest: str = "0s"
    longest: str = LONGEST

    @property
    def sentence(self) -> str:
        """What a refused value is told; the same for pydantic and for the API server."""
        return f"must be a duration between {self.shortest} and {self.longest}"

    def _validate(self, value: Any) -> timedelta:
        if isinstance(value, str):
            try:
                value = parse(value)
            except ValueError as error:
                raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None
        if not isinstance(value, timedelta):
            raise PydanticCustomError("duration", "{why}", {"why": SENTENCE})
        if not parse(self.shortest) <= value <= parse(self.longest):
            raise PydanticCustomError("duration", "{why}", {"why": self.sentence})
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # matches() first: duration() of a malformed string would add its own noise to the refusal
        within = (
            f"!self.matches('{PATTERN}') || (duration(self) >= duration('{self.shortest}')"
            f" && duration(self) <= duration('{self.longest}'))"
        )
        return {
            "type": "string",
            "maxLength": MAX_LENGTH,
            "x-kubernetes-validations": [
                {"rule": SHAPE_RULE, "message": SENTENCE},
                {"rule": within, "message": self.sentence},
            ],
        }


Duration = Annotated[timedelta, Between()]
