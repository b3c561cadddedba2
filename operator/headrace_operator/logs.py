"""Log lines of the operator: the worker's formats, and a quieter kopf."""

from __future__ import annotations

import logging

from headrace import logs

_KOPFS_REFUSALS = "kopf._cogs.clients.errors"
_CLOSING = "an error occurred during closing of asynchronous generator"
_WATCH = "async_generator object infinite_watch"


def configure(level: str, style: str) -> None:
    logs.configure(level, style)
    for handler in logging.getLogger().handlers:
        handler.addFilter(without_trace_of_a_refusal)
        handler.addFilter(no_watch_closed_by_asyncio)
    if level != "DEBUG":
        # kopf says for every object and event that its handler was called.
        logging.getLogger("kopf").setLevel(logging.WARNING)


def without_trace_of_a_refusal(record: logging.LogRecord) -> bool:
    """An answer of the API server to kopf is no fault in code: its sentence is enough."""
    if record.exc_info and type(record.exc_info[1]).__module__ == _KOPFS_REFUSALS:
        record.exc_info = None
    return True


def no_watch_closed_by_asyncio(record: logging.LogRecord) -> bool:
    """kopf leaves its streams to asyncio, which closes them all at once as the process ends: one
    that finds its inner part closed before it has failed at nothing."""
    if record.name != "asyncio":
        return True
    message = record.getMessage()
    return not (message.startswith(_CLOSING) and _WATCH in message)
