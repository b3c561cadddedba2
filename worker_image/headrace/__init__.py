"""Headrace: Redis Streams consumers on Kubernetes. This package is what runs in a worker."""

from headrace.app import App
from headrace.context import BatchContext, Context
from headrace.event import Event
from headrace.handler import HandlerError
from headrace.outcomes import Outcome, Reject, Retry, Skip
from headrace.producer import NotSent, Producer, SyncProducer

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
