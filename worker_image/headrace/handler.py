"""One registered handler: what it takes, how its payload is decoded, how it is called.

Built once at import from the function's annotations, so that a mistake shows when the worker
starts and an event costs no inspection.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
)

from headrace.signature import Function, HandlerError, hints_of, parameters_of

__all__ = ["Decode", "Function", "Handler", "HandlerError", "build", "invalid_payload"]

Decode = Callable[[bytes], Any]


@dataclass(slots=True, eq=False)
class Handler:
    """A function registered for (type, version); `timeout` in seconds, None = the group's."""

    function: Function
    type: str
    version: int
    label: str
    decode: Decode | None
    """bytes -> argument; None in raw mode, where the function takes the field map."""
    is_async: bool
    is_batch: bool
    wants_context: bool
    timeout: float | None
    max_size: int
    linger: float
    """Seconds that a batch which is not full waits for more events."""


def build(
    function: Function,
    *,
    type_: str,
    version: int,
    raw: bool,
    batch: bool,
    timeout: float | None,
    max_size: int,
    linger: float,
    deserialize: Decode | None,
) -> Handler:
    """Read the function's signature once. Raises HandlerError with the function's name."""
    name = getattr(function, "__qualname__", repr(function))
    parameters = parameters_of(function, batch=batch)
    decode = None
    if not raw:
        annotation = hints_of(function).get(parameters[0].name, Any)
        if batch:
            annotation = _item_type(annotation, name)
        try:
            decode = decoder(annotation, deserialize)
        except PydanticSchemaGenerationError as error:
            raise HandlerError(
                f"{name}: JSON cannot become {annotation!r}; use a type that pydantic knows, or "
                f"register @app.deserializer({type_!r}) before this handler"
            ) from error
    return Handler(
        function=function,
        type=type_,
        version=version,
        label=f"{type_}/{version}" if type_ else "raw",
        decode=decode,
        is_async=_is_async(function),
        is_batch=batch,
        wants_context=len(parameters) == 2,
        timeout=timeout,
        max_size=max_size,
        linger=linger,
    )


def decoder(annotation: Any, deserialize: Decode | None) -> Decode:
    """annotation -> function from payload bytes to the handler's argument (JSON by default).

    A class that pydantic does not know (a Protobuf message) is what a deserializer must return.
    """
    if annotation is bytes and deserialize is None:
        return bytes
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        validator = annotation.__pydantic_validator__
    else:
        validator = _adapter(annotation, deserialize).validator
    if deserialize is None:
        return validator.validate_json

    def decode(payload: bytes) -> Any:
        return validator.validate_python(deserialize(payload))

    return decode


def _adapter(annotation: Any, deserialize: Decode | None) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        if deserialize is None:
            raise
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


def invalid_payload(error: BaseException) -> str:
    """The short reason a dead letter carries: each field and what is wrong, never the value."""
    if not isinstance(error, ValidationError):
        return f"invalid payload: {type(error).__name__}: {error}"[:500]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    parts = []
    for one in found[:3]:
        place = ".".join(str(step) for step in one["loc"])
        parts.append(f"{place}: {one['msg']}" if place else one["msg"])
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return f"invalid payload: {'; '.join(parts)}{more}"[:500]


def _is_async(function: Function) -> bool:
    """Also true for an object whose `__call__` is async."""
    call = getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _item_type(annotation: Any, name: str) -> Any:
    if annotation is Any or annotation is list:
        return Any
    if typing.get_origin(annotation) is not list:
        raise HandlerError(f"{name}: a batch handler takes a list, for example list[Flight]")
    return typing.get_args(annotation)[0]
