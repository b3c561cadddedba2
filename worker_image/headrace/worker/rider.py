"""What may be sent in front of a read: it saves a round trip, and the read's answer comes after its
own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.streams.script import Command


@dataclass(slots=True)
class Ride:
    """One command for the next read to carry. Exactly one of the two is called: `answered` with
    its reply, or `failed` when that was an error or never came."""

    command: Command
    answered: Callable[[Any], None]
    failed: Callable[[], None]


class Rider(Protocol):
    """Has commands that a read may carry, and another way to send them when none comes by."""

    def take_for_read(self) -> Ride | None:
        """What the read that starts now shall carry, if anything."""

    def send_now(self) -> None:
        """Send what waits over the control connection: no read is about to start."""
