"""What a status may say of an error on the way to Redis. Pure.

The operator connects to whatever address a spec names, from its own place in the network. So a
status tells a server's refusals, which only a Redis gives, and what can be seen without a server.
Whether a port is closed, silent or speaks another protocol stays in the operator's log: otherwise
anybody who may write a pipeline could map a network that is closed to him.
"""

from __future__ import annotations

import redis.exceptions

from headrace.streams import refusals
from headrace.streams.primary import NoPrimary

NO_ANSWER = "no Redis answers there"

_REFUSALS = (redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)


def is_refusal(error: BaseException) -> bool:
    """The server answered and said no, so waiting does not help."""
    return isinstance(error, _REFUSALS) or (isinstance(error, NoPrimary) and error.refused)


def for_people(error: BaseException) -> str:
    """The error as a status may tell it, in one line; never a credential."""
    if isinstance(error, NoPrimary) and error.tellable is not None:
        return error.tellable
    replied = is_refusal(error) or getattr(error, "status_code", None) is not None
    if replied or refusals.is_seen_from_here(error):
        return refusals.describe(error)
    return NO_ANSWER
