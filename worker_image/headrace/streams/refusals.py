"""What the server's refusals mean, and what to do about each. Pure."""

import re
import socket
import ssl
from collections.abc import Iterator

from headrace.streams.server import FLOOR_ADVICE

HINTS = (
    ("NOAUTH", "set spec.redis.credentialsSecretRef"),
    ("WRONGPASS", "the Secret of spec.redis.credentialsSecretRef holds other credentials"),
    ("invalid username-password", "the Secret of spec.redis.credentialsSecretRef holds others"),
    ("NOPERM", "grant this user the rights in docs/redis-user.md"),
    ("executing the script can't", "grant this user the rights in docs/redis-user.md"),  # Redis 7.0
    ("ACL failure in script", "grant this user the rights in docs/redis-user.md"),
    ("LOADING", "Redis is loading its data"),
    ("READONLY", "this is a replica; it may be a failover, else point endpoints at the primary"),
    (
        "WRONGTYPE",
        "the stream's key, or one of headrace:{...} beside it, holds another type:"
        " find it with TYPE, and rename it",
    ),
    ("OOM", "Redis is at maxmemory; free memory or raise the limit"),
    ("MISCONF", "Redis cannot persist; see its log"),
    ("NOREPLICAS", "Redis has too few replicas to accept writes"),
    ("CLUSTERDOWN", "the cluster does not serve all slots"),
    ("MASTERDOWN", "the replica has lost its primary"),
    (
        "MOVED",
        "another node of this Redis Cluster has the slot; redis.mode Cluster follows",
    ),
    ("ASK ", "the slot is being moved to another node"),
    ("TRYAGAIN", "the slot is being moved to another node"),
    ("is too old", FLOOR_ADVICE),
    ("nknown command", "Headrace needs Redis 7.0, Valkey 8 or newer, and no renamed commands"),
    ("DB index is out of range", "the server has no such database: correct spec.redis.database"),
)
"""(words of the server, what to do); the first that occurs counts."""

SENTINEL_HINTS = (
    ("NOAUTH", "set spec.redis.sentinel.credentialsSecretRef"),
    ("WRONGPASS", "the Secret of spec.redis.sentinel.credentialsSecretRef holds other credentials"),
    (
        "invalid username-password",
        "the Secret of spec.redis.sentinel.credentialsSecretRef holds others",
    ),
    (
        "nknown command",
        "a server answers there: write the sentinels' addresses, mostly of port 26379",
    ),
    ("knows no primary", "correct spec.redis.sentinel.masterName"),
    ("sees it down", "start the primary, or let the sentinels fail over"),
)
"""The same where the sentinels name no primary."""

_SCRIPT_PLACE = re.compile(r",? ?script: [0-9a-f]{40}, on @user_script:\d+\.?")


def is_seen_from_here(error: BaseException) -> bool:
    """A name that does not resolve, a wrong certificate: it says nothing of other hosts."""
    return any(isinstance(one, (socket.gaierror, ssl.SSLError)) for one in causes(error))


def describe(error: BaseException) -> str:
    """The error in one line, with its code, without the place in a script."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    code = getattr(error, "status_code", None)  # redis-py cuts it off the server's text
    if code and not text.startswith(code):
        text = f"{code} {text}"
    return _SCRIPT_PLACE.sub("", text)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on to the first."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def advised(text: str) -> str:
    """An error's text, and what to do about it where that is known."""
    return "; ".join(filter(None, (text, hint(text))))


def hint(text: str) -> str | None:
    """What to do about an error with this text; None where that is not known."""
    hints = SENTINEL_HINTS if text.startswith("no sentinel names") else HINTS
    return next((advice for words, advice in hints if words in text), None)
