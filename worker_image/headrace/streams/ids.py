"""Stream ids as (milliseconds, sequence): the only order in which two of them may be compared.

As bytes, `..-331` sorts before `..-9`; as doubles, ids beyond 2^53 fall together.
"""

from typing import TypeAlias

StreamId: TypeAlias = tuple[int, int]

ZERO: StreamId = (0, 0)

_FIRST_CLOCK_MS = 10**12
_DAY_MS = 86_400_000


def parse_id(text: bytes | str) -> StreamId:
    """Parse `ms-seq` or `ms` (sequence 0). Raises ValueError for anything else."""
    raw = text.decode("ascii") if isinstance(text, bytes) else text
    ms, dash, seq = raw.partition("-")
    if not (ms.isascii() and ms.isdigit() and (not dash or (seq.isascii() and seq.isdigit()))):
        raise ValueError(f"{raw!r} is no stream id; write <milliseconds>-<sequence>")
    return int(ms), int(seq) if dash else 0


def format_id(stream_id: StreamId) -> str:
    """The canonical text Redis itself writes for an id."""
    return f"{stream_id[0]}-{stream_id[1]}"


def is_clock(stream_id: StreamId, now_ms: int) -> bool:
    """Whether an id's first half reads as milliseconds since 1970 (2001 to tomorrow).

    Ids that a producer chose (a counter, seconds, nanoseconds) say nothing about age.
    """
    return _FIRST_CLOCK_MS <= stream_id[0] <= now_ms + _DAY_MS
