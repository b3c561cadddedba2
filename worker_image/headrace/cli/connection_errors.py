"""A failure of Redis in one sentence, with the next step for whoever typed the command."""

from __future__ import annotations

import errno
import socket

from headrace.streams import refusals
from headrace.streams.connect import Target
from headrace.worker.outage import sentence

LAPTOP_HINTS = (
    ("NOAUTH", "give the password in HEADRACE_REDIS_PASSWORD"),
    ("WRONGPASS", "check the user in the URL and HEADRACE_REDIS_PASSWORD"),
    ("invalid username-password", "check the user in the URL and HEADRACE_REDIS_PASSWORD"),
    ("READONLY", "this is a replica: give the primary's address in --url"),
    ("MOVED", "this is a Redis Cluster: give the address of the server that holds the stream"),
    ("DB index is out of range", "the server has no such database: correct the number in --url"),
)
"""Where a person gave a URL, there is no manifest to correct."""


def advice(error: BaseException, target: Target | None, *, in_pod: bool) -> str:  # noqa: PLR0911 - one return a cause
    """What happened, and what to do about it. `in_pod`: the manifest named this Redis."""
    if in_pod or target is None:
        return sentence(error)
    where = target.endpoints[0]
    *_, cause = refusals.causes(error)
    text = refusals.describe(error)
    if isinstance(cause, socket.gaierror):
        return f"nobody knows the host of {where}; check its name in --url"
    if getattr(cause, "errno", None) == errno.ECONNREFUSED or "Error 111" in text:
        return f"nothing listens at {where}; check --url, or forward the port to this machine"
    if target.tls is not None and ("imeout" in text or "SSL" in text or "certificate" in text):
        if "certificate" in text:
            return f"the certificate of {where} is not trusted here; give its CA with --ca FILE"
        return f"no TLS answer from {where}; if it speaks plain text, write redis:// in --url"
    if "imeout" in text or isinstance(error, TimeoutError):
        return f"no answer from {where}; check --url and the network between"
    if target.tls is None and ("closed" in text or "reset" in text):
        return f"{where} closed the connection; if it speaks TLS, write rediss:// in --url"
    hint = next((hint for words, hint in LAPTOP_HINTS if words in text), refusals.hint(text))
    return f"{text.rstrip('.')}; {hint}" if hint else text
