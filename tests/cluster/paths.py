"""Where things are: the checkout, the cache shared by all checkouts, the state of the clusters."""

from __future__ import annotations

import os
import re
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


def version() -> str:
    """The project's, read from its text: this package runs before anything is installed."""
    text = (CHECKOUT / "worker_image/headrace/__init__.py").read_text("utf-8")
    match = re.search(r'__version__ = "(.+)"', text)
    assert match is not None
    return match[1]
