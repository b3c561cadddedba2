"""The names of every key Headrace keeps beside a stream. Pure.

`headrace:{tag}:<kind>:<group>:<stream>`: kind and group hold no colon, so the rest is the stream's
whole name and no two streams share a key, not even `flights` and `{flights}`. A group whose name
holds a colon is written `:<length>:<name>`: no name without one begins like that. The tag puts keys
into the stream's own Cluster slot: it is the stream's hash tag, else its whole name.
"""

from dataclasses import dataclass, field
from functools import cached_property

from headrace.streams.entries import Source

PARKED = "headrace:parked"
"""The reserved consumer that owns entries waiting for their next try. No runtime may claim from
it except by due time."""


class UnusableName(ValueError):
    """A stream or group name for which no key in the same slot can be written."""


class Life:
    """Tells the marks of a group from those of a group of this name that was destroyed before.

    `name` is "" until `ensure_groups` has asked Redis, and for groups from before lives had names.
    `prefix`: of the marks, once it was made.
    """

    name = ""
    prefix = b""

    def begin(self, name: str) -> None:
        self.name, self.prefix = name, b""


@dataclass(frozen=True)
class GroupKeys:
    """The keys of one consumer group on one stream. All but those of marks never change."""

    stream: str
    group: str
    tag: str
    dead_letters: str
    life: Life = field(default_factory=Life, compare=False, repr=False)

    @cached_property
    def _name(self) -> str:
        return f":{len(self.group)}:{self.group}" if ":" in self.group else self.group

    def _key(self, kind: str) -> str:
        return f"headrace:{{{self.tag}}}:{kind}:{self._name}:{self.stream}"

    @cached_property
    def retry(self) -> str:
        """Sorted set: member (`m:<id>`, `r:<id>`) -> due time in ms of the server's clock."""
        return self._key("retry")

    @cached_property
    def failures(self) -> str:
        """Hash: member -> packed `entries.Record`."""
        return self._key("failures")

    @cached_property
    def replay(self) -> str:
        """Stream: dead letters that were sent back to this group."""
        return self._key("replay")

    def of(self, source: Source) -> str:
        """The stream that entries of this source live in."""
        return self.stream if source is Source.MAIN else self.replay

    @cached_property
    def state(self) -> str:
        """Hash: `owner`, `checkpoint`, `checkpoint_at`, `life` and for each consumer
        `flush:<name>`, its last flush, and `trimmed:<name>`, what its renewals found trimmed."""
        return self._key("state")

    @property
    def seen_prefix(self) -> str:
        """What every mark of this group starts with; the event's id follows.

        The stream's length stands before its name: both it and the id may hold colons.
        """
        life = f"-{self.life.name}" if self.life.name else ""
        return f"headrace:{{{self.tag}}}:seen{life}:{self._name}:{len(self.stream)}:{self.stream}:"

    def seen(self, event_id: bytes) -> bytes:
        """String: the member of the entry that handled the event with this id."""
        life = self.life
        if not life.prefix:
            life.prefix = self.seen_prefix.encode()
        return life.prefix + event_id


@dataclass(frozen=True)
class StreamKeys:
    """The keys beside one stream. Raises UnusableName for a name that no tag can express."""

    stream: str
    dead_letter_stream: str | None = None

    def __post_init__(self) -> None:
        self.tag  # noqa: B018 - refuse an unusable name where it is written

    @cached_property
    def tag(self) -> str:
        """The part Redis Cluster hashes: the name's own non-empty hash tag, else the name."""
        start = self.stream.find("{")
        end = self.stream.find("}", start + 1) if start >= 0 else -1
        if end == start + 1 and end > 0:
            raise UnusableName(f"stream {self.stream!r} has the empty hash tag {{}}; remove it")
        if end > 0:
            return self.stream[start + 1 : end]
        if not self.stream or "}" in self.stream:
            raise UnusableName(
                f"stream {self.stream!r} needs a name without '}}', or a hash tag like {{name}}"
            )
        return self.stream

    @property
    def dead_letters(self) -> str:
        """Stream of dead letters, shared by all groups unless the pipeline names another."""
        return self.dead_letter_stream or f"headrace:{{{self.tag}}}:dead:{self.stream}"

    def for_group(self, group: str) -> GroupKeys:
        """The keys of a group. Raises UnusableName for an empty name."""
        if not group:
            raise UnusableName("a consumer group needs a name")
        return GroupKeys(self.stream, group, self.tag, self.dead_letters)
