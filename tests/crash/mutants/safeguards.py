"""The safeguards of delivery, settling and claims, each taken out once."""

from tests.crash.mutants.mutant import mutant, short
from tests.crash.run import Run
from tests.crash.scenarios import MIN_IDLE

COMMIT, CLAIM = "streams/lua/commit.lua", "streams/lua/park_idle.lua"
FENCE = "if row[2] ~= consumer or row[4] ~= count then return refuse(id, 1) end"
TOLD = (
    "worker/settling/settler.py",
    "lost = [entry for entry in entries if entry.lost]",
    "lost: list[Entry] = []",
)
"""The fence stands behind the lease, too: who was told of a loss commits nothing."""
SAFEGUARDS = [
    mutant(
        "acknowledged at delivery, before it is handled",
        short("rolling"),
        "order lost",
        (
            "worker/intake/reader.py",
            'b"BLOCK", self._block_ms,',
            'b"BLOCK", self._block_ms, b"NOACK",',
        ),
    ),
    mutant(
        "no fence",
        Run(1, "zombies", events=2_000, drain_seconds=25),
        "outputs order",
        (COMMIT, FENCE, ""),
        (
            COMMIT,
            "if not row then return refuse(id, 2), true end",
            "row = row or {id, consumer, 0, count}",
        ),
        TOLD,
    ),
    mutant(
        "a fence without the delivery count",
        Run(
            1,
            "there_and_back",
            # What pauses and deaths leave runs alone, one by one: undrained, outputs are missing.
            events=30,
            rate=50,
            fault_pause=0.5,
            slow=1.0,
            slow_seconds=(3.4 * MIN_IDLE,),
            drain_seconds=150,
        ),
        "order outputs",
        (COMMIT, " or row[4] ~= count then", " then"),
        TOLD,
        # The fence stands behind another safeguard, which has to be out of its way to be seen.
        (
            "worker/handling/suspects.py",
            "await dispatcher.until_idle()\n                await self._settler.drain()",
            "pass",
        ),
    ),
    mutant(
        "a flush sent again is carried out again",
        Run(1, "in_flight", events=400, rate=60, fault_pause=0.15, slow=0.5),
        "outputs",
        (
            COMMIT,
            "if tonumber(last) == number and answer ~= '' then return cmsgpack.unpack(answer) end",
            "",
        ),
        (COMMIT, "if tonumber(last) >= number then return {} end", ""),
    ),
    mutant(
        "no lease",
        short("rolling"),
        "calm",
        (
            "worker/intake/renewals.py",
            "held = self._holding.snapshot()",
            "held = self._holding.snapshot()[:0]",
        ),
    ),
    mutant(
        "reclaim skips a quiet stream",
        # What dead workers hold is idle only when all else is done.
        Run(
            1,
            "kills",
            events=300,
            rate=100,
            fault_pause=0.4,
            slow=0.5,
            min_idle=8.0,
            drain_seconds=40,
        ),
        "pending",
        (
            "worker/intake/claims.py",
            "if monotonic() >= self._next_reclaim:",
            'seen, total = self._metrics.counts["mutant"], self._metrics.events.total()\n'
            '        self._metrics.counts["mutant"] = total\n'
            "        if monotonic() >= self._next_reclaim and seen != total:",
        ),
    ),
    mutant(
        "a retry is acknowledged first and marked then",
        short("rolling"),
        "lost order",
        (
            COMMIT,
            "local due = redis.pcall('ZADD', retry,",
            "redis.call('XACK', stream, group, id)\n  local due = redis.pcall('ZADD', retry,",
        ),
    ),
    mutant(
        "a dead consumer is deleted with its pending entries",
        short("kills"),
        "lost",
        ("streams/consumers.py", 'row[b"pending"] > 0 or ', ""),
        ("streams/lua/delete_dead_consumers.lua", "if owned == 0 then", "if true then"),
        (
            "worker/intake/claims.py",
            "max(DEAD_CONSUMER_MS, DEAD_CONSUMER_FACTOR * self._min_idle_ms)",
            "300",
        ),
    ),
    mutant(
        "acknowledged although the dead letter failed",
        short("refusals"),
        "dead-letters",
        (
            COMMIT,
            "if err then return refuse(id, 4, err) end",
            "if err then return end_of(id) end",
        ),
    ),
    mutant(
        "a hand-over counts as a failure",
        short("rolling", slow=0.3),  # so that there is something to hand over
        "calm",
        (
            "streams/lua/hand_back.lua",
            "redis.call('ZADD', retry, now, member)",
            "redis.call('ZADD', retry, now, member)\n"
            "  redis.call('HSET', failures, member, '1 0 0 0 0 ')",
        ),
    ),
    mutant(
        "a hand-over counts as a delivery",
        short("rolling", slow=0.3),  # so that there is something to hand over
        "calm",
        ("streams/lua/hand_back.lua", "math.max(0, count - uncounted)", "count"),
    ),
    mutant(
        "reclaim takes from workers that renew",
        short("rolling"),
        "calm",
        (CLAIM, "name, min_idle,", "name, 0,"),
    ),
    mutant(
        "outputs are written before the fence is asked",
        Run(1, "zombies", events=2_000, drain_seconds=25),
        "outputs",
        (
            COMMIT,
            "  local row, gone\n",
            "  written = {}\n  for _ = 1, outputs do add(place)\n"
            "  place = place + 3 + LIST[place + 3] end\n"
            "  outputs = 0\n  local row, gone\n",
        ),
        TOLD,
    ),
    mutant(
        "a trim passes the floor",
        short("safe"),
        "lost",
        (
            "streams/lua/trim.lua",
            "  if low then\n    held",
            "  if false then\n    held",
        ),
    ),
    mutant(
        "records of failures are never dropped",
        short("rolling", events=400),
        "leaks",
        (
            COMMIT,
            "redis.pcall('HDEL', failures, unpack(members))",
            "",
        ),
    ),
    mutant(
        "a consumer leaves its flush number behind",
        short("rolling", events=400),
        "leaks",
        (
            "streams/lua/delete_consumer.lua",
            "'flush:' .. ARGV[2], 'tr",
            "'tr",
        ),
    ),
]
