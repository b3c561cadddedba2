"""Events whose payload is Avro in its single-object encoding; needs `headrace[avro]`.

Such a payload begins with the fingerprint of the schema it was written with, so that events of an
older schema can be read for as long as they are in the stream.
"""

from io import BytesIO

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form
from pydantic import BaseModel

import headrace

FIRST = parse_schema(
    {
        "type": "record",
        "name": "airport.Flight",
        "fields": [
            {"name": "carrier", "type": "string"},
            {"name": "arr_delay", "type": "int"},
        ],
    }
)
NOW = parse_schema(
    {
        "type": "record",
        "name": "airport.Flight",
        "fields": [
            {"name": "carrier", "type": "string"},
            {"name": "arr_delay", "type": "int"},
            {"name": "flight_plan", "type": "bytes", "default": ""},
        ],
    }
)
MARKER = b"\xc3\x01"


def header(schema: dict) -> bytes:
    canonical = to_parsing_canonical_form(schema)
    return MARKER + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


WRITERS = {header(schema): schema for schema in (FIRST, NOW)}
SIZE = len(MARKER) + 8

app = headrace.App()


class Flight(BaseModel):
    carrier: str
    arr_delay: int
    flight_plan: bytes


@app.deserializer("flight.landed")
def read(payload: bytes) -> dict:
    writer = WRITERS.get(payload[:SIZE])
    if writer is None:
        raise ValueError(f"no known Avro schema begins with {payload[:SIZE].hex() or 'nothing'}")
    return schemaless_reader(BytesIO(payload[SIZE:]), writer, NOW)


@app.on("flight.landed")
async def landed(flight: Flight, ctx: headrace.Context) -> None:
    """Late flights go on, as Avro again. Bytes that are no Flight never get here."""
    if flight.arr_delay > 15:
        ctx.emit("{flights}:late", event("flight.late", flight.model_dump()))


def event(type: str, flight: dict, schema: dict = NOW) -> headrace.Event:
    """What a producer sends: ready-made bytes stay as they are."""
    payload = BytesIO()
    payload.write(header(schema))
    schemaless_writer(payload, schema, flight)
    return headrace.Event(type, payload.getvalue())
