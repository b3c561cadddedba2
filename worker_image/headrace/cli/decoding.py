"""Payloads as values: JSON, what an app's deserializers make of their types, text, or bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.cli.exits import refuse
from headrace.cli.redis_options import Place
from headrace.cli.values import value_of

if TYPE_CHECKING:
    from headrace.handler import Decode

Deserializers: TypeAlias = "Mapping[str, Decode]"


def deserializers_of(app: str | None, place: Place) -> Deserializers:
    """Those of `module:attribute`, which is looked for where the configuration says, else here."""
    if app is None:
        return {}
    from headrace.handler import HandlerError
    from headrace.worker.loader import load_app

    code_dir = place.config.code_dir if place.config is not None else str(Path.cwd())
    try:
        return load_app(app, code_dir).deserializers
    except HandlerError as error:
        refuse(str(error))


def decoded(value: bytes, type_: str = "", deserializers: Deserializers | None = None) -> Any:
    """Plain values, as JSON can say them; bytes that nobody can read as {"base64": ...}."""
    deserialize = (deserializers or {}).get(type_)
    if deserialize is not None:
        import pydantic_core

        try:
            return pydantic_core.to_jsonable_python(deserialize(value), fallback=str)
        except Exception as error:  # the app's own code
            return {"error": f"{type(error).__name__}: {error}", "payload": value_of(value)}
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value_of(value)
