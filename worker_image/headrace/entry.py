"""`Entry`: one stream entry that this worker holds, from its delivery to its settlement."""

from __future__ import annotations

from headrace.event import field_map


class Entry:
    """What was delivered, and how often it was tried before.

    `fields` is the flat list as Redis answered it; nothing is decoded until a handler needs it.
    Mutable: the lease marks it lost or trimmed, the handler's `ctx.emit` adds outputs.
    """

    __slots__ = (
        "crashes",
        "delivery_count",
        "duplicate",
        "failures",
        "fields",
        "id",
        "lost",
        "mark",
        "outputs",
        "replay",
        "settled",
        "since",
        "solo",
        "trimmed",
    )

    def __init__(
        self,
        id: bytes,
        fields: list[bytes],
        *,
        replay: bool = False,
        delivery_count: int = 1,
        failures: int = 0,
        crashes: int = 0,
        since: float = 0.0,
    ) -> None:
        self.id = id
        self.fields = fields
        self.replay = replay
        self.delivery_count = delivery_count
        self.failures = failures
        """Attempts of a handler that failed."""
        self.crashes = crashes
        """Processes that vanished while they held it."""
        self.since = since
        """When this process got it, on the monotonic clock."""
        self.solo = False
        self.lost = False
        """Another consumer has it now: whatever the handler does is discarded."""
        self.trimmed = False
        """Its body left the stream while we held it: settle without the fence."""
        self.settled = False
        self.duplicate = False
        self.mark: bytes | None = None
        self.outputs: list[tuple[bytes, list[bytes]]] | None = None

    def field(self, name: bytes) -> bytes | None:
        """One field's value; the producer's own order (type, version, payload) costs no map."""
        fields = self.fields
        for index in range(0, len(fields), 2):
            if fields[index] == name:
                return fields[index + 1]
        return None

    def field_map(self) -> dict[bytes, bytes]:
        return field_map(self.fields)

    def __repr__(self) -> str:
        source = "replay" if self.replay else "main"
        return f"<Entry {self.id.decode()} {source} delivery {self.delivery_count}>"
