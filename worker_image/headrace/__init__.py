"""Headrace: Redis Streams consumers on Kubernetes. This package is what runs in a worker.

The public names are imported when they are first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "App",
    "BatchContext",
    "Context",
    "Event",
    "HandlerError",
    "NotSent",
    "Outcome",
    "Producer",
    "Reject",
    "Retry",
    "Skip",
    "SyncProducer",
]

if TYPE_CHECKING:
    from headrace.app import App
    from headrace.context import BatchContext, Context
    from headrace.event import Event
    from headrace.outcomes import Outcome, Reject, Retry, Skip
    from headrace.producer import NotSent, Producer, SyncProducer
    from headrace.signature import HandlerError
else:
    _MODULES = {
        "App": "app",
        "BatchContext": "context",
        "Context": "context",
        "Event": "event",
        "HandlerError": "signature",
        "NotSent": "producer",
        "Outcome": "outcomes",
        "Producer": "producer",
        "Reject": "outcomes",
        "Retry": "outcomes",
        "Skip": "outcomes",
        "SyncProducer": "producer",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module 'headrace' has no attribute {name!r}")
        found = getattr(importlib.import_module(f"headrace.{_MODULES[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
