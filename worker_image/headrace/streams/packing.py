"""The arguments of one call of the commit script, in the order that commit.lua takes them. Pure."""

from collections.abc import Sequence
from typing import Any

import msgpack

from headrace.streams.dead_letters import letter_fields
from headrace.streams.entries import Source
from headrace.streams.keys import GroupKeys
from headrace.streams.script import Argument
from headrace.streams.settlement import Ack, DeadLetter, Park, Settlement

_NUMBER, _BODY = 2, 6
"""Where the flush number and the msgpack stand in ARGV, counted from 0."""
_LETTER = {Ack: "a", Park: "p", DeadLetter: "d"}


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
    failures = retry = 0
    body = b""
    if settlements:
        failures = keys.index(group.failures)
        again: list[Any] = []
        others: list[Any] = [0]
        for settlement in settlements:
            if _is_plain(settlement):
                again += (settlement.id, settlement.delivery_count)
            else:
                others[0] += 1
                _add(settlement, group, keys, others, dead_letter_max_length)
                if type(settlement.outcome) is Park:
                    retry = keys.index(group.retry)
        body = _pack([len(again) // 2, *again, *others])
    args = [group.group, consumer, number, source.value, failures, retry, body, *acks]
    return keys.names, args


def size_of(args: Sequence[Argument]) -> int:
    """Bytes of what varies in size: outputs, dead letters, errors."""
    body = args[_BODY]
    assert isinstance(body, bytes)
    return len(body)


def number_of(args: Sequence[Argument]) -> int:
    """The flush number of a call."""
    return int(args[_NUMBER])


def renumber(args: list[Argument], number: int) -> None:
    """Give a call that was never sent another flush number."""
    args[_NUMBER] = number


def _add(
    settlement: Settlement,
    group: GroupKeys,
    keys: "_Keys",
    to: list[Any],
    dead_letter_max_length: int,
) -> None:
    outcome, outputs, mark = settlement.outcome, settlement.outputs, settlement.mark
    how = _LETTER[type(outcome)] if mark is None else "m"
    if not settlement.fenced:
        how = how.upper()
    to += (settlement.id, settlement.delivery_count, how, len(outputs))
    for output in outputs:
        fields, limit = output.fields, output.max_length
        # As text: a script passes it on, and numbers would be printed anew for each entry.
        to += (keys.index(output.stream), "" if limit is None else str(limit), len(fields), *fields)
    if mark is not None:
        # An original lived in the main stream, whichever life this one is.
        first_life = Source.MAIN.member(mark.original_id) if mark.original_id else b""
        to += (keys.index(group.seen(mark.event_id)), str(mark.window_ms), first_life)
    elif isinstance(outcome, Park):
        to += (outcome.delay_ms, int(outcome.failure), outcome.error)
    elif isinstance(outcome, DeadLetter):
        letter = letter_fields(group, settlement.id, outcome)
        to += (keys.index(group.dead_letters), str(dead_letter_max_length), len(letter), *letter)


def _pack(value: Any) -> bytes:
    # Redis's cmsgpack knows the old format's strings best; text of errors may be no Unicode.
    packed = msgpack.packb(value, use_bin_type=False, unicode_errors="backslashreplace")
    assert isinstance(packed, bytes)
    return packed


class _Keys:
    """The keys a call declares, each once; scripts name them by index from 1."""

    def __init__(self, names: list[Argument]) -> None:
        self.names = names
        self._indexes = {name: at for at, name in enumerate(names, 1)}

    def index(self, name: str | bytes) -> int:
        at = self._indexes.get(name)
        if at is None:
            self.names.append(name)
            at = self._indexes[name] = len(self.names)
        return at


def _is_plain(s: Settlement) -> bool:
    return type(s.outcome) is Ack and s.fenced and s.mark is None and not s.outputs
