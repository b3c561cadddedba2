"""An event as fields, and back."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import headrace
from headrace.entry import Entry
from headrace.event import encode, field_map, readable_fields


class Flight(BaseModel):
    carrier: str = Field(alias="Carrier")


@given(
    st.text(min_size=1),
    st.integers(0, 10**9),
    st.one_of(st.binary(), st.dictionaries(st.text(), st.integers())),
    st.none() | st.text(),
)
def test_every_field_is_bytes_and_can_be_read_again(type_, version, payload, id_) -> None:
    try:
        type_.encode(), (id_ or "").encode()
    except UnicodeEncodeError:
        return
    fields = encode(headrace.Event(type_, payload, version, id=id_))
    assert all(isinstance(part, bytes) for part in fields)
    known = field_map(fields)
    assert known[b"type"] == type_.encode()
    assert int(known[b"version"]) == version
    assert known.get(b"id") == (None if id_ is None else id_.encode())
    if isinstance(payload, bytes):
        assert known[b"payload"] == payload


def test_a_model_is_sent_under_the_names_that_its_handler_reads() -> None:
    fields = encode(headrace.Event("landed", Flight(Carrier="UA")))
    assert fields[5] == b'{"Carrier":"UA"}'
    assert Flight.model_validate_json(fields[5]) == Flight(Carrier="UA")


@given(st.lists(st.tuples(st.binary(), st.binary())))
def test_raw_fields_keep_what_is_no_text(pairs: list[tuple[bytes, bytes]]) -> None:
    fields = [part for pair in pairs for part in pair]
    entry = Entry(b"1-0", fields)
    readable = readable_fields(entry.field_map())
    assert {n.encode("utf-8", "surrogateescape"): v for n, v in readable.items()} == dict(pairs)
    for name, _ in pairs:
        first = next(value for one, value in pairs if one == name)
        assert entry.field(name) == first
