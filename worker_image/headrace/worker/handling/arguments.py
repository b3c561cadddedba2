"""From an entry's payload to the argument of its handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.entry import Entry
from headrace.event import PAYLOAD, readable_fields
from headrace.worker.routes import Route


def payload_of(entry: Entry) -> bytes:
    """The payload field; the producer's order (type, version, payload) is looked at first."""
    fields = entry.fields
    if len(fields) > 5 and fields[4] == PAYLOAD:
        return fields[5]
    return entry.field(PAYLOAD) or b""


def decoded(
    route: Route, entries: list[Entry], unfit: Callable[[Route, Entry, BaseException], None]
) -> tuple[list[Entry], list[Any]]:
    """Those entries whose payload fits, and their arguments; the others are told to `unfit`."""
    decode = route.handler.decode
    valid, arguments = [], []
    for entry in entries:
        try:
            arguments.append(
                decode(payload_of(entry)) if decode else readable_fields(entry.field_map())
            )
        except BaseException as error:
            unfit(route, entry, error)
        else:
            valid.append(entry)
    return valid, arguments
