"""What a command is given to read: a file, or stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from headrace.cli.exits import refuse


@contextmanager
def opened_file(file: Path | None) -> Iterator[BinaryIO]:
    """The file's bytes; None: stdin's. Ends the command where it cannot be opened."""
    if file is None:
        if sys.stdin is None:
            refuse("standard input is closed; name a file")
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        refuse(f"cannot read {file}: {error.strerror}")
    with opened:
        yield opened
