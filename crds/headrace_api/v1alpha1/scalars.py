"""Strings and numbers with the bounds that CEL's cost budget needs."""

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Name = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of a Kubernetes object or key."""

Short = Annotated[str, Field(max_length=253)]
Text = Annotated[str, Field(max_length=4096)]
Word = Annotated[str, Field(max_length=1024)]
"""One word of a command line."""

StreamName = Annotated[str, Field(min_length=1, max_length=512)]
GroupName = Annotated[str, Field(min_length=1, max_length=256)]
"""A consumer group's name in Redis."""

EntryId = Annotated[str, Field(max_length=41, pattern=r"^[0-9]{1,20}-[0-9]{1,20}$")]

StringMap = Annotated[dict[Short, Text], Field(max_length=64)]


class IntOrString:
    """Marks a field that Kubernetes reads as a number or a string (quantities, ports)."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"x-kubernetes-int-or-string": True, "maxLength": 64}


Quantity = Annotated[int | str, IntOrString()]


def integer(lowest: int, highest: int, *, wide: bool = False) -> Any:
    """The constraints of a whole number; `wide` says that it may pass 32 bits."""
    extra: dict[str, Any] = {"format": "int64"} if wide else {"format": "int32"}
    return Field(strict=True, ge=lowest, le=highest, json_schema_extra=extra)


def keyed_by(*keys: str, at_most: int, at_least: int = 0) -> Any:
    """The constraints of a list whose items are told apart by keys, as server-side apply does."""
    return Field(
        min_length=at_least,
        max_length=at_most,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(keys),
        },
    )


def atomic(*, at_most: int, at_least: int = 0) -> Any:
    """The constraints of a list that is replaced as a whole."""
    return Field(
        min_length=at_least,
        max_length=at_most,
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
