"""What becomes of an entry after its handler ended. Pure: entry + ending + policy -> decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import random
from typing import Self

from headrace.entry import Entry
from headrace.outcomes import Reject, Retry, Skip, message_of
from headrace.worker.backoff import Random, delay
from headrace_api.v1alpha1.delivery import Delivery

MAX_ERROR_LENGTH = 1000


class Kind(StrEnum):
    """How an entry ends; the value is the outcome in the metric of settled events."""

    ACK = "done"
    SKIP = "skipped"
    RETRY = "retried"
    DEAD_LETTER = "dead_lettered"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Decision:
    """`delay` in seconds, for retries; `failed`: this attempt counts as a failure."""

    kind: Kind
    error: str = ""
    error_type: str = ""
    delay: float = 0.0
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The group's `delivery`, in seconds."""

    max_retries: int
    max_crashes: int
    backoff_initial: float
    backoff_max: float
    unknown_type: str = "DeadLetter"

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """What the manifest's `delivery` says."""
        return cls(
            max_retries=delivery.max_retries,
            max_crashes=delivery.max_crashes,
            backoff_initial=delivery.backoff.initial.total_seconds(),
            backoff_max=delivery.backoff.max.total_seconds(),
            unknown_type=delivery.on_unknown_type.value,
        )


ACK = Decision(Kind.ACK)
SKIP = Decision(Kind.SKIP)
DUPLICATE = Decision(Kind.DUPLICATE)


class HandlerTimeout(Exception):
    """The handler ran longer than its time-out."""


def decide(entry: Entry, ending: BaseException, policy: Policy, rng: Random = random) -> Decision:
    """The decision for an entry whose handler did not simply return."""
    if isinstance(ending, Skip):
        return SKIP
    if isinstance(ending, Reject):
        return dead_letter(ending.reason, "Reject", failed=True)
    failures = entry.record.failures + 1
    error, error_type = describe(ending)
    wait, counts = None, True
    if isinstance(ending, Retry):
        wait, counts = ending.after, ending.counts
    if counts and failures > policy.max_retries:
        return dead_letter(error, error_type, failed=True)
    if wait is None:
        wait = delay(failures, initial=policy.backoff_initial, maximum=policy.backoff_max, rng=rng)
    return Decision(Kind.RETRY, error, error_type, wait, failed=counts)


def crashed_too_often(entry: Entry, policy: Policy) -> bool:
    """True when a suspect took its process down as often as the group allows."""
    return entry.record.killed >= policy.max_crashes


def dead_letter(error: str, error_type: str, *, failed: bool = False) -> Decision:
    return Decision(Kind.DEAD_LETTER, error[:MAX_ERROR_LENGTH], error_type, failed=failed)


def invalid_payload(reason: str) -> Decision:
    return dead_letter(reason, "InvalidPayload")


def unknown_type(entry: Entry, policy: Policy) -> Decision:
    """An entry that no handler takes: dead letter or skipped, as the group says."""
    type_ = (entry.field(b"type") or b"").decode("utf-8", "replace")[:100]
    version = (entry.field(b"version") or b"").decode("utf-8", "replace")[:20]
    what = f"type {type_!r} version {version!r}" if type_ else "an entry without a type field"
    reason = f"no handler for {what}"
    if policy.unknown_type == "Skip":
        return SKIP
    return dead_letter(reason, "UnknownType")


def describe(ending: BaseException) -> tuple[str, str]:
    """(text, class name) of an exception, with the place it was raised at."""
    name = type(ending).__name__
    text = message_of(ending) or name
    place = ending.__traceback__
    if place is not None and not isinstance(ending, (Retry, HandlerTimeout)):
        while place.tb_next is not None:
            place = place.tb_next
        text = f"{text} ({place.tb_frame.f_code.co_name}, line {place.tb_lineno})"
    return text[:MAX_ERROR_LENGTH], name
