"""The arguments of one call of the commit script, in the order that commit.lua takes them. Pure."""

from collections.abc import Sequence

from headrace.streams.dead_letters import letter_fields
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.script import Argument
from headrace.streams.settlement import Ack, DeadLetter, Park, Settlement

MAX_ENTRIES = 1_000
MAX_BYTES = 1 << 20


def arguments(
    group: GroupKeys,
    source: Source,
    acks: Sequence[bytes],
    settlements: Sequence[Settlement],
    *,
    consumer: str,
    number: int,
    dead_letter_max_length: int,
) -> tuple[list[Argument], list[Argument]]:
    """KEYS and ARGV. Declared is only what this call uses: one missing right stops no other."""
    keys = _Keys([group.of(source), group.state])
    failures = keys.index(group.failures) if settlements else 0
    parks = any(isinstance(s.outcome, Park) for s in settlements)
    retry = keys.index(group.retry) if parks else 0
    # Where our entries start in the PEL. Only a hint: what came first is good enough.
    first = acks[0] if acks else min([s.id for s in settlements])
    args: list[Argument] = [group.group, consumer, number, source.value]
    args += (failures, retry, first, len(acks))
    args += acks
    plain: list[Argument] = []
    others = []
    for settlement in settlements:
        if _is_plain(settlement):
            plain += (settlement.id, settlement.delivery_count)
        else:
            others.append(settlement)
    args.append(len(plain) // 2)
    args += plain
    args.append(len(others))
    for settlement in others:
        _add(settlement, group, keys, args, dead_letter_max_length)
    return keys.names, args


def _add(
    settlement: Settlement,
    group: GroupKeys,
    keys: "_Keys",
    args: list[Argument],
    dead_letter_max_length: int,
) -> None:
    outcome, outputs, mark = settlement.outcome, settlement.outputs, settlement.mark
    how = _LETTER[type(outcome)] if mark is None else "m"
    if not settlement.fenced:
        how = how.upper()
    args += (settlement.id, settlement.delivery_count, how, len(outputs))
    for output in outputs:
        fields, limit = output.fields, output.max_length
        args += (keys.index(output.stream), "" if limit is None else limit, len(fields), *fields)
    if mark is not None:
        # An original lived in the main stream, whichever life this one is.
        first_life = Source.MAIN.member(mark.original_id) if mark.original_id else b""
        args += (keys.index(group.seen(mark.event_id)), mark.window_ms, first_life)
    elif isinstance(outcome, Park):
        args += (outcome.delay_ms, int(outcome.failure), outcome.error[:_MAX_ERROR])
    elif isinstance(outcome, DeadLetter):
        letter = letter_fields(group, settlement.id, outcome)
        args += (keys.index(group.dead_letters), dead_letter_max_length)
        args += (len(letter), *letter)


_LETTER = {Ack: "a", Park: "p", DeadLetter: "d"}
_MAX_ERROR = 1_000


class _Keys:
    """The keys a call declares, each once; scripts name them by index from 1."""

    def __init__(self, names: list[Argument]) -> None:
        self.names = names
        self._indexes = {name: at for at, name in enumerate(names, 1)}

    def index(self, name: str | bytes) -> int:
        if name not in self._indexes:
            self.names.append(name)
            self._indexes[name] = len(self.names)
        return self._indexes[name]


def _is_plain(s: Settlement) -> bool:
    return type(s.outcome) is Ack and s.fenced and s.mark is None and not s.outputs


def _size(s: Settlement) -> int:
    """Bytes, roughly: each part costs some besides its own."""
    size = 100
    for output in s.outputs:
        size += sum(map(len, output.fields)) + 10 * len(output.fields)
    if type(s.outcome) is DeadLetter:
        size += sum(map(len, s.outcome.fields)) + 12 * len(s.outcome.fields)
    return size


def chunks(settlements: Sequence[Settlement], taken: int) -> list[list[Settlement]]:
    """Split by count and bytes; `taken` entries already stand in the first chunk."""
    chunks: list[list[Settlement]] = []
    room, entries = 0, 0
    for settlement in settlements:
        size = _size(settlement)
        if not chunks or entries >= MAX_ENTRIES or room < size:
            entries = 0 if chunks else taken
            room = MAX_BYTES
            chunks.append([])
        chunks[-1].append(settlement)
        room -= size
        entries += 1
    return chunks
