"""What `helm test` runs: it sends 20 events and waits until each was handled.

The argument is Redis's host.
"""

import sys
import time

import redis

import headrace

EVENTS = 20
PATIENCE_SECONDS = 240
STREAM, HANDLED = "headrace-test", "headrace-test:handled"

events = [headrace.Event("test.number", {"n": n}) for n in range(EVENTS)]
client = redis.Redis(host=sys.argv[1], socket_timeout=5)
deadline = time.monotonic() + PATIENCE_SECONDS
sent, handled, trouble = False, 0, "nothing was tried"
while time.monotonic() < deadline and handled < EVENTS:
    try:
        if not sent:
            headrace.SyncProducer(client, STREAM).send_many(events)
            sent = True
        handled, trouble = client.scard(HANDLED), "no worker handles them"
    except (redis.RedisError, headrace.NotSent, OSError) as error:
        trouble = f"Redis: {error}"
    time.sleep(0.5)

print(f"{handled} of {EVENTS} events were handled")
if handled < EVENTS:
    sys.exit(
        f"{trouble}; look at the condition Ready of the StreamPipeline, and at the operator's log"
    )
