from pydantic import BaseModel

import headrace

app = headrace.App()


class Flight(BaseModel):
    carrier: str
    arr_delay: int


@app.on("flight.landed", version=1)
async def landed(flight: Flight, ctx: headrace.Context) -> None:
    ctx.logger.info("landed", extra={"carrier": flight.carrier, "delay": flight.arr_delay})
