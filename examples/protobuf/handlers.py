"""Events whose payload is a Protobuf message; needs `headrace[protobuf]`.

`flight_pb2.py` was written by `protoc --python_out=. flight.proto` and is shipped beside this file,
so neither the worker nor its image needs protoc.
"""

from flight_pb2 import Flight

import headrace

app = headrace.App()
app.deserializer("flight.landed")(Flight.FromString)


@app.on("flight.landed")
async def landed(flight: Flight, ctx: headrace.Context) -> None:
    """Late flights go on, as Protobuf again. Bytes that are no Flight never get here."""
    if not flight.carrier:  # proto3 knows no required fields: an absent one reads as empty
        raise headrace.Reject("a flight without a carrier")
    if flight.arr_delay > 15:
        ctx.emit("{flights}:late", event("flight.late", flight))


def event(type: str, flight: Flight) -> headrace.Event:
    """What a producer sends: ready-made bytes stay as they are."""
    return headrace.Event(type, flight.SerializeToString())
