"""The handler of `helm test`: it notes each number in a set."""

import headrace

app = headrace.App()


@app.on("test.number")
async def note(event: dict, ctx: headrace.Context) -> None:
    await ctx.redis.sadd("headrace-test:handled", event["n"])
