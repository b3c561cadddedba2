"""What all integration tests share: the control plane, and which servers a test meets."""

import os
import zlib
from pathlib import Path

import pytest
from tests.support.control_plane import control_plane
from tests.support.redis_servers import KINDS

__all__ = ["control_plane"]

# Whole workers and producers, which cost seconds: each test meets one kind of server here and all
# in `make test-servers`. What runs inside the server (streams/) meets every kind always.
SAMPLED = tuple(str(Path(__file__).parent / name) for name in ("custom", "producer", "worker"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("HEADRACE_EVERY_SERVER"):
        return
    kept, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (left_out if _is_left_out(item) else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def _is_left_out(item: pytest.Item) -> bool:
    """By its name, so that one test always meets the same server, and each server a third."""
    parameters = getattr(item, "callspec", None)
    kind = parameters.params.get("redis_server") if parameters else None
    if kind is None or not str(item.path).startswith(SAMPLED):
        return False
    test, _, ids = item.nodeid.partition("[")
    number = zlib.crc32(f"{test}[{ids.replace(kind, '', 1)}".encode())
    return bool(kind != list(KINDS)[number % len(KINDS)])
