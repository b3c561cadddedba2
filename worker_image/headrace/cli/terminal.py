"""Whether a person looks at it."""

from __future__ import annotations

from typing import IO, Any


def is_terminal(stream: IO[Any] | None) -> bool:
    """False also for one that the shell closed (`>&-`), which Python has as None."""
    return stream is not None and stream.isatty()
