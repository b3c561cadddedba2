"""Errors that pass: an answer that did not come, and a server that refuses for a while. Pure."""

import redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ReadOnlyError,
    TryAgainError,
)

_LOST = (redis.ConnectionError, redis.TimeoutError, OSError)
# Connection errors to redis-py, but the server has answered, and has done nothing.
_ANSWERED = (AuthenticationError, AuthorizationError, BusyLoadingError)
# MASTERDOWN is a CLUSTERDOWN to redis-py.
PASSING = (BusyLoadingError, ClusterDownError, ReadOnlyError, TryAgainError)
# Codes that redis-py has no class for, and so leaves in the text.
_PASSING_CODES = ("NOREPLICAS", "BUSY")


def is_lost(error: BaseException) -> bool:
    """Whether no answer came: what was sent may have been carried out, or not."""
    return isinstance(error, _LOST) and not isinstance(error, _ANSWERED)


def has_moved(error: BaseException) -> bool:
    """Whether another node of the Cluster has the slot, or has it soon: nothing was done. A client
    of one server never gets there."""
    return isinstance(error, AskError)  # MOVED is one, too, to redis-py


def is_passing(error: BaseException) -> bool:
    """Whether the server refused for a while only: it loads, fails over, or moves a slot."""
    return isinstance(error, PASSING) or str(error).startswith(_PASSING_CODES)
