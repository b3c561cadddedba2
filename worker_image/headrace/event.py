"""The wire format: one event is one stream entry with the fields below.

| field         | value                                                            |
|---------------|------------------------------------------------------------------|
| `type`        | the event's name, for example `flight.landed`                    |
| `version`     | a whole number, the version of the payload's shape               |
| `payload`     | JSON, unless the type has a deserializer of its own              |
| `id`          | optional, the producer's own identity of the event (deduplication) |
| `traceparent` | optional, W3C trace context                                      |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic_core
from pydantic import BaseModel

TYPE = b"type"
VERSION = b"version"
PAYLOAD = b"payload"
ID = b"id"
TRACEPARENT = b"traceparent"


@dataclass(frozen=True, slots=True)
class Event:
    """An event to send. `payload`: a pydantic model, plain JSON values, or ready-made bytes.

    `id` may be a whole number, too; it is written as text.
    """

    type: str
    payload: Any
    version: int = 1
    id: str | int | None = None
    traceparent: str | None = None


def encode_payload(payload: Any) -> bytes:
    """Payload -> bytes. Models and plain values become JSON; bytes stay as they are."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, BaseModel):
        return payload.__pydantic_serializer__.to_json(payload, by_alias=True)
    return pydantic_core.to_json(payload)


def encode(event: Event) -> list[bytes]:
    """Event -> the flat field list [name, value, ...] as XADD takes it.

    Raises TypeError for a type, version or id that is none.
    """
    if not isinstance(event.type, str) or not event.type:
        raise TypeError(f"Event.type must be a text such as 'flight.landed', not {event.type!r}")
    if not isinstance(event.version, int) or event.version < 0:
        raise TypeError(f"Event.version must be a whole number from 0, not {event.version!r}")
    fields = [
        TYPE,
        event.type.encode(),
        VERSION,
        b"%d" % event.version,
        PAYLOAD,
        encode_payload(event.payload),
    ]
    if event.id is not None:
        fields += [ID, _id(event.id)]
    if event.traceparent is not None:
        fields += [TRACEPARENT, event.traceparent.encode()]
    return fields


def _id(given: str | int) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, int) and not isinstance(given, bool):
        return b"%d" % given
    # str(None) and its like would make different events look the same.
    raise TypeError(f"Event.id must be a text or a whole number, not {type(given).__name__}")


def field_map(fields: Sequence[bytes]) -> dict[bytes, bytes]:
    """Flat field list as Redis answers it -> map. A name given twice keeps its last value."""
    return dict(zip(fields[::2], fields[1::2], strict=True))


def readable_fields(fields: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """Field map with text names, as raw handlers get it; bytes that are no UTF-8 survive."""
    return {name.decode("utf-8", "surrogateescape"): value for name, value in fields.items()}
