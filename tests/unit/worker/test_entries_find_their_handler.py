"""Dispatch by (type, version) reads the entry's own bytes, whatever the fields' order."""

from hypothesis import given
from hypothesis import strategies as st

import headrace
from headrace.worker.metrics import Metrics
from headrace.worker.routes import Routes

TYPES = ("flight.landed", "flight.left")


def routes(*, raw: bool = False) -> Routes:
    app = headrace.App()

    async def handler(event: dict) -> None: ...

    for type_ in TYPES:
        for version in (1, 2):
            app.on(type_, version=version)(handler)
    if raw:
        app.raw(handler)
    return Routes(app, 30.0, Metrics())


ALL, ALL_AND_RAW = routes(), routes(raw=True)


@given(
    st.sampled_from((*TYPES, "unknown", "")),
    st.sampled_from((None, "1", "2", "3", "01", "x")),
    st.permutations(["type", "version", "payload", "id", "extra"]),
)
def test_the_same_handler_in_any_order_of_fields(type_, version, order) -> None:
    values = {"type": type_, "version": version, "payload": "{}", "id": "1", "extra": "type"}
    fields = [
        part.encode() for name in order if values[name] is not None for part in (name, values[name])
    ]
    known = type_ in TYPES and version in (None, "1", "2")
    found = ALL.find(fields)
    assert (found.label if found else None) == (f"{type_}/{version or 1}" if known else None)
    with_raw = ALL_AND_RAW.find(fields)
    assert with_raw is not None
    assert with_raw.label == (f"{type_}/{version or 1}" if known else "raw")


def test_an_entry_without_a_type_is_only_the_raw_handlers() -> None:
    assert ALL.find([b"some", b"thing"]) is None
    assert ALL_AND_RAW.find([]) is ALL_AND_RAW.all[-1]


def test_the_handlers_own_timeout_stands_before_the_groups() -> None:
    app = headrace.App()

    async def handler(event: dict) -> None: ...

    app.on("a", timeout=5)(handler)
    app.on("b")(handler)
    assert [route.timeout for route in Routes(app, 30.0, Metrics()).all] == [5, 30]
