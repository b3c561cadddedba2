"""The streams that the pages about the commands show: the same ids and texts each time."""

import json

import redis

STREAM = "flights"
DEAD = "headrace:{flights}:dead:flights"
GROUPS = ("audit", "delays")
FIRST_MS = 1_795_680_000_000
CARRIERS = ("UA", "DL", "AA", "WN")
CAUSES = {
    "field required": ("InvalidPayload", "arr_delay: field required"),
    "price": ("KeyError", "'price' (landed, line 20)"),
    "slow": ("HandlerTimeout", "the handler ran longer than its time-out of 30 s"),
}


def fill(client: redis.Redis) -> None:
    """240 flights, read by two groups, one of them waiting for its next try; 216 letters of three
    kinds; a stream that nobody reads."""
    client.flushall()
    for n in range(240):
        kind = "flight.landed" if n % 4 else "flight.diverted"
        payload = {"carrier": CARRIERS[n % 4], "number": 1500 + n, "arr_delay": n % 60}
        fields = {"type": kind, "version": 1, "payload": json.dumps(payload)}
        client.xadd(STREAM, fields, id=f"{FIRST_MS + 1000 * n}-0")
    for group in GROUPS:
        client.xgroup_create(STREAM, group, "0")
        client.xgroup_create(f"headrace:{{{STREAM}}}:replay:{group}:{STREAM}", group, "0", True)
        client.hset(f"headrace:{{{STREAM}}}:state:{group}:{STREAM}", "owner", "airport/flights")
    client.xreadgroup("delays", "pod-a-1", {STREAM: ">"}, count=200)
    done = [entry for entry, _ in client.xrange(STREAM, count=195)]
    client.xack(STREAM, "delays", *done)
    _park(client, f"{FIRST_MS + 199_000}-0")
    for n in range(212):
        _letter(client, n, "delays", "field required")
    for n in range(212, 215):
        _letter(client, n, "delays", "price")
    _letter(client, 215, "audit", "slow")
    client.xadd("bookings", {"type": "booked", "payload": "{}"}, id=f"{FIRST_MS}-0")


def _park(client: redis.Redis, entry: str) -> None:
    """As the commit of a handler that failed for the second time does."""
    client.xclaim(STREAM, "delays", "headrace:parked", 0, [entry], retrycount=2, justid=True)
    due = client.time()[0] * 1000 + 3_600_000
    client.zadd(f"headrace:{{{STREAM}}}:retry:delays:{STREAM}", {f"m:{entry}": due})


def _letter(client: redis.Redis, n: int, group: str, cause: str) -> None:
    error_type, error = CAUSES[cause]
    client.xadd(
        DEAD,
        {
            "original_id": f"{FIRST_MS + n}-0",
            "original_stream": STREAM,
            "group": group,
            "type": "flight.landed",
            "version": "1",
            "error": error,
            "error_type": error_type,
            "consumer": "pod-a-1",
            "attempts": "1" if cause == "field required" else "4",
            "crashes": "0",
            "first_seen": str(FIRST_MS + 200_000 + n),
            "dead_at": str(FIRST_MS + 300_000 + n),
            "f:type": "flight.landed",
            "f:version": "1",
            "f:payload": json.dumps({"carrier": "UA", "number": n}),
        },
        id=f"{FIRST_MS + 300_000 + n}-0",
    )
