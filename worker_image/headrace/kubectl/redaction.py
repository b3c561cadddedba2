"""What must not leave the cluster in a bundle, replaced. Pure."""

from __future__ import annotations

import re
from typing import Any

from headrace.kubectl.program import Manifest
from headrace_api.validation import LOOKS_SECRET

REPLACED = "REDACTED"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_IN_URL = re.compile(r"(?<=://)[^/\s@\"']*@")


def redacted_text(text: str) -> str:
    """Without user and password in URLs."""
    return _IN_URL.sub(f"{REPLACED}@", text)


def redacted(value: Any) -> Any:
    """An object without values of variables whose name tells of a secret, and without what nobody
    reads: managedFields, and the copy that `kubectl apply` keeps."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, list):
        return [redacted(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {k: redacted(one) for k, one in value.items() if k not in ("managedFields", _APPLIED)}
    return _variable(kept)


def _variable(value: Manifest) -> Manifest:
    name, written = value.get("name"), value.get("value")
    if isinstance(name, str) and isinstance(written, str) and LOOKS_SECRET.search(name):
        return {**value, "value": REPLACED}
    return value
