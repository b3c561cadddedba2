"""An entry as a consumer holds it, and the record of its earlier failures and crashes."""

from dataclasses import dataclass, field
from enum import StrEnum


class Source(StrEnum):
    """Which of a group's two streams an entry came from; its value starts every member we write.

    Both streams can hold the same id, so an id alone never names an entry.
    """

    MAIN = "m"
    REPLAY = "r"

    def member(self, entry_id: bytes) -> bytes:
        """The entry's name in `retry`, `failures` and marks: `m:<id>` or `r:<id>`."""
        return self.value.encode() + b":" + entry_id


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of an entry until it is settled for good (hash `failures`).

    `failures` counts outcomes that failed. `crashes` counts every claim from a consumer that fell
    silent; `killed` only those that happened while the entry ran alone (`solo`): only these count
    towards maxCrashes. `first_ms` is the server's time of the first of them (0: none).
    """

    failures: int = 0
    crashes: int = 0
    killed: int = 0
    solo: bool = False
    first_ms: int = 0
    error: bytes = b""

    @classmethod
    def parse(cls, raw: bytes | None) -> "Record":
        """Read the packed value `failures crashes killed solo first_ms error`."""
        if not raw:
            return NO_RECORD
        failures, crashes, killed, solo, first_ms, error = raw.split(b" ", 5)
        return cls(
            int(failures), int(crashes), int(killed), solo == b"1", int(first_ms), bytes(error)
        )


NO_RECORD = Record()


@dataclass(frozen=True, slots=True)
class ClaimedEntry:
    """One entry now owned by this consumer. (consumer, `delivery_count`) is its fence.

    `fields` is flat, as Redis sends it: [name, value, name, value, ...]; names may repeat.
    """

    source: Source
    id: bytes
    fields: list[bytes]
    delivery_count: int = 1
    record: Record = field(default=NO_RECORD)
