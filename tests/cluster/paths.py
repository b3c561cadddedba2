"""Where things are: the checkout, the cache shared by all checkouts, the state of the clusters."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
GO_SOURCES = Path(__file__).resolve().parent / "go"


def cache() -> Path:
    """Built binaries and images, named by what they were made from; safe to delete at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "headrace"


def state() -> Path:
    """One directory per cluster of this machine; short, as socket paths end at 107 characters."""
    return Path("/var/lib/headrace")
