"""Strings and numbers with the bounds that CEL's cost budget needs."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from unicodedata import category

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_snake
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Name = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of a Kubernetes object or key."""

Short = Annotated[str, Field(max_length=253)]
Text = Annotated[str, Field(max_length=4096)]
Word = Annotated[str, Field(max_length=1024)]
"""One word of a command line."""

StreamName = Annotated[str, Field(min_length=1, max_length=512)]
GroupName = Annotated[str, Field(min_length=1, max_length=256)]
"""A consumer group's name in Redis."""

LabelMap = Annotated[dict[Short, Annotated[str, Field(max_length=63)]], Field(max_length=64)]
"""Labels, whose values are short."""

PRINTABLE = r"^([^\p{C}\p{Z}]| )*$"
"""`is_printable`, as CEL's expressions have it."""


def is_printable(name: str) -> bool:
    """Whether nothing in it is invisible: controls, formats, private use, odd spaces.

    Code points that Unicode has not assigned pass: which these are depends on the reader.
    """
    invisible = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs")
    return all(char == " " or category(char) not in invisible for char in name)


StringMap = Annotated[dict[Short, Text], Field(max_length=64)]


_QUANTITY_LENGTH = 64
QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    # Two digits of exponent are plenty; the API server works for minutes at 1e999999999999.
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]{1,2}))?$"
)
_QUANTITY_SHAPE = re.compile(QUANTITY.replace("$", r"\Z"))


class IntOrString:
    """Marks a quantity: Kubernetes reads it as a number or a string."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_quantity)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "x-kubernetes-int-or-string": True,
            "maxLength": _QUANTITY_LENGTH,
            "pattern": QUANTITY,
        }


def _quantity(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _QUANTITY_LENGTH and _QUANTITY_SHAPE.match(value):
        return value
    raise PydanticCustomError("quantity", "a quantity is written like 500m, 2 or 256Mi")


_SUFFIXES = {
    **{suffix: Decimal(1000) ** (n - 3) for n, suffix in enumerate(("n", "u", "m", "", "k"))},
    **{suffix: Decimal(1000) ** n for n, suffix in enumerate(("M", "G", "T", "P", "E"), 2)},
    **{f"{suffix}i": Decimal(1024) ** n for n, suffix in enumerate("KMGTPE", 1)},
}


def amount(quantity: int | str) -> Decimal:
    """What a quantity comes to: `500m` is 0.5, `1Ki` is 1024."""
    text = str(quantity)
    number = text.rstrip("numkKMGTPEi")
    suffix = text[len(number) :]
    return Decimal(number) * _SUFFIXES[suffix]


Quantity = Annotated[int | str, IntOrString()]


def integer(lowest: int, highest: int, *, wide: bool = False) -> Any:
    """The constraints of a whole number; `wide` says that it may pass 32 bits."""
    extra: dict[str, Any] = {"format": "int64"} if wide else {"format": "int32"}
    return Field(strict=True, ge=lowest, le=highest, json_schema_extra=extra)


@dataclass(frozen=True)
class KeyedBy:
    """A list whose items are told apart by keys, as server-side apply does."""

    keys: tuple[str, ...]
    at_most: int
    at_least: int = 0

    def _validate(self, items: tuple[BaseModel, ...]) -> tuple[BaseModel, ...]:
        if not self.at_least <= len(items) <= self.at_most:
            text = f"takes {self.at_least} to {self.at_most} items"
            raise PydanticCustomError("length", "{text}", {"text": text})
        attributes = [to_snake(key) for key in self.keys]
        found = [tuple(getattr(item, attribute) for attribute in attributes) for item in items]
        if len(set(found)) != len(found):
            text = f"two items have the same {' and '.join(self.keys)}; give each its own"
            raise PydanticCustomError("duplicate", "{text}", {"text": text})
        return items

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {
            "minItems": self.at_least,
            "maxItems": self.at_most,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(self.keys),
        }


def keyed_by(*keys: str, at_most: int, at_least: int = 0) -> KeyedBy:
    """The constraints of a list that is merged item by item."""
    return KeyedBy(keys, at_most, at_least)


def atomic(*, at_most: int, at_least: int = 0) -> Any:
    """The constraints of a list that is replaced as a whole."""
    return Field(
        min_length=at_least,
        max_length=at_most,
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
