"""Whether an image registry answers from this machine."""

from __future__ import annotations

import urllib.error
import urllib.request
from functools import cache

HOSTS = {"docker.io": "registry-1.docker.io"}


@cache
def answers(reference: str) -> bool:
    """Whether the registry that holds `reference` speaks HTTPS with us; a refusal counts too."""
    host = reference.partition("/")[0]
    try:
        with urllib.request.urlopen(f"https://{HOSTS.get(host, host)}/v2/", timeout=5):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.headers.get("Docker-Distribution-Api-Version") is not None
    except OSError:
        return False
