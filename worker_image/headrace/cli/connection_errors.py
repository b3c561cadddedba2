"""A failure of Redis in one sentence, with the next step for whoever typed the command."""

from __future__ import annotations

import errno
import socket

from headrace.streams import refusals
from headrace.streams.connect import Target, Tls
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


NO_COMMON_TLS = ("protocol version", "handshake failure")
"""Alerts that come before any certificate."""

NO_TLS = "no TLS answer from {}; if it speaks plain text, write redis:// in --url"
TLS_CAUSES = (
    ("has expired", "the certificate of {} has expired; renew it"),
    ("mismatch", "the certificate of {} is for another name; write that name in --url"),
    ("certificate", "the certificate of {} is not trusted here; give its CA with --ca FILE"),
    ("SSL", NO_TLS),
    ("imeout", NO_TLS),
)
"""(words of the error, what happened and what to do); the first that occurs counts."""


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
    if target.tls is not None and (cause_of_tls := _of_tls(text, where, target.tls)):
        return cause_of_tls
    if "imeout" in text or isinstance(error, TimeoutError):
        return f"no answer from {where}; check --url and the network between"
    if target.tls is None and ("closed" in text or "reset" in text):
        return f"{where} closed the connection; if it speaks TLS, write rediss:// in --url"
    hint = next((hint for words, hint in LAPTOP_HINTS if words in text), refusals.hint(text))
    return f"{text.rstrip('.')}; {hint}" if hint else text


def _of_tls(text: str, where: str, tls: Tls) -> str | None:
    """What went wrong with TLS. With TLS 1.3 a server refuses a client after its handshake: it
    sends an alert, or only closes the connection."""
    alert = "alert" in text and not any(words in text for words in NO_COMMON_TLS)
    closed = "closed" in text or "reset" in text
    if not tls.cert_file and (alert or closed):
        return (
            f"{where} closed the connection; if it asks for a client certificate,"
            " give --cert FILE and --key FILE"
        )
    if alert:
        return f"{where} does not accept the client certificate of --cert"
    if closed:  # the reset may come before the alert is read
        return f"{where} closed the connection; it may not accept the client certificate of --cert"
    return next((known.format(where) for words, known in TLS_CAUSES if words in text), None)
