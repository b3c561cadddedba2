"""What a handler's signature must be, said when the handler is registered. Pure.

A mistake that Python would show at the first event, or never, is told here with what to write.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from headrace.context import BatchContext, Context

Function = Callable[..., Any]
MAX_LINGER_SECONDS = 60.0


class HandlerError(Exception):
    """A handler cannot be registered or found; the message says what to change."""


def check_type(type_: object, decorator: str) -> None:
    """Refuse what is no event type, above all the function itself: a decorator without its call."""
    if callable(type_):
        raise HandlerError(
            f'write @app.{decorator}("the.type") above {_name(type_)}: the decorator needs the'
            " event's type"
        )
    if not isinstance(type_, str) or not type_:
        raise HandlerError(f"type {type_!r} must be a text such as 'flight.landed'")


def check_version(version: object) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise HandlerError(f"version={version!r} must be a whole number, for example version=1")


def check_max_size(max_size: object) -> None:
    if not isinstance(max_size, int) or isinstance(max_size, bool) or max_size < 1:
        raise HandlerError(f"max_size={max_size!r}: a batch holds at least one event")


def timeout_of(timeout: object) -> float:
    """Seconds or a timedelta -> seconds above 0."""
    seconds = _seconds(timeout, "timeout")
    if not math.isfinite(seconds) or seconds <= 0:
        raise HandlerError(f"timeout={timeout!r}: give more than 0 seconds or leave it out")
    return seconds


def linger_of(linger: object) -> float:
    """Seconds or a timedelta -> seconds, at most a minute."""
    seconds = _seconds(linger, "linger")
    if not 0 <= seconds <= MAX_LINGER_SECONDS:
        raise HandlerError(f"linger={linger!r}: give 0 to {MAX_LINGER_SECONDS:g} seconds")
    return seconds


def _seconds(value: object, option: str) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise HandlerError(f"{option}={value!r}: give seconds or a timedelta")
    return float(seconds)


def check_lifespan(function: object) -> None:
    if not inspect.isasyncgenfunction(function):
        raise HandlerError(
            f"{_name(function)} is no lifespan: write `async def {_name(function)}(app)` with one"
            " yield, without @asynccontextmanager"
        )


def check_deserializer(function: object) -> None:
    if inspect.iscoroutinefunction(function):
        raise HandlerError(f"{_name(function)}: a deserializer is a plain def, not async")


def parameters_of(function: Function, *, batch: bool) -> list[inspect.Parameter]:
    """(event) or (event, ctx). Raises HandlerError for anything else."""
    name = _name(function)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise HandlerError(f"{name} is a generator (it holds a yield); a handler returns")
    positional = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional.append(parameter)
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise HandlerError(
                f"{name} needs the keyword {parameter.name!r}, which nobody gives; give it a"
                " default, or keep it in app.state"
            )
    if positional and positional[0].name in ("self", "cls"):
        raise HandlerError(
            f'{name} is a method without its object; register a bound one: app.on("the.type")'
            "(object.method)"
        )
    if len(positional) not in (1, 2):
        raise HandlerError(
            f"{name} takes {len(positional)} parameters; a handler takes (event) or (event, ctx)"
        )
    if len(positional) == 2:
        _check_context(name, positional[1], hints_of(function).get(positional[1].name), batch)
    return positional


def hints_of(function: Function) -> dict[str, Any]:
    """The annotations. Raises HandlerError for one that cannot be read."""
    while isinstance(function, functools.partial):
        function = function.func
    annotated = function if inspect.isroutine(function) else type(function).__call__
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise HandlerError(
            f"{_name(function)}: the annotation cannot be read ({error}); define the model at"
            " module level"
        ) from error


def _check_context(name: str, parameter: inspect.Parameter, hint: Any, batch: bool) -> None:
    """The second parameter gets the context, so it must not be meant for something else."""
    wanted = BatchContext if batch else Context
    kinds = [one for one in _alternatives(hint) if one is not type(None)]
    has_default = parameter.default is not parameter.empty
    if any(_takes(one, wanted) for one in kinds) or not (kinds or has_default):
        return
    advice = f"write ctx: headrace.{wanted.__name__}"
    if has_default:
        advice += f", or put it behind a star: (event, *, {parameter.name}={parameter.default!r})"
    raise HandlerError(f"{parameter.name!r} of {name} would get the context; {advice}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if hint is None:
        return ()
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _takes(hint: Any, wanted: type) -> bool:
    """Whether an annotation allows the context: itself, a base of it, a Protocol, no class."""
    kind = typing.get_origin(hint) or hint
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return issubclass(wanted, kind)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", repr(function)))
