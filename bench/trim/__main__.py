"""How long a trim, and what looks before it, keeps Redis from serving others.

`python -m bench.trim` fills a real server of each kind with 10 million entries and two groups:
`far`, which has handled all, and `deep`, which holds nineteen of twenty. Times are Redis's (INFO
latencystats: how long one call of a script took inside the server), so network and client do not
count. A busy machine does: the mean CPU of a call beside it tells how much.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

import redis
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.support.redis_servers import running

from headrace.streams.backlog_reader import read_backlogs
from headrace.streams.connect import connect
from headrace.streams.keys import StreamKeys
from headrace.streams.trim import Policy, trim
from headrace.streams.trim_plan import plan_trim

KINDS = ("redis", "valkey")
STREAM = "flights"
PARTS = 20
FIRST_MS, STEP = 1_795_680_000_000, 5_000
BODY = "x" * 48
PERCENTILES = "50 99 99.9 100"
FILL = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local id = string.format('%.0f-0', tonumber(ARGV[3]) + n)
  redis.call('XADD', KEYS[1], id, 'type', 'flight.landed', 'version', 1, 'payload', ARGV[4])
end
"""
READ = """
redis.call('XREADGROUP', 'GROUP', ARGV[1], 'pod-a-1', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')
return 0
"""
Measured = Callable[[Redis], Awaitable[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    entries = parser.parse_args().entries
    for kind in KINDS:
        with running(kind) as server, connected(server.port) as admin:
            info = admin.info("server")
            filled(admin, entries)
            gib = admin.info("memory")["used_memory"] / 2**30
            name = info.get("valkey_version") or info["redis_version"]
            held = entries - entries // PARTS
            print(f"\n{kind} {name}: {entries:,} entries, {held:,} pending, {gib:.1f} GiB")
            print(f"{'':24}{'calls':>8}{'p50':>8}{'p99':>8}{'p99.9':>8}{'most':>8}{'CPU':>8}  us")
            for what, measured in measures(entries).items():
                show(what, admin, asyncio.run(on(server.target, measured, admin)))


def connected(port: int) -> redis.Redis:
    """Never sends a call again: a fill that was slow would be done twice."""
    return redis.Redis(port=port, socket_timeout=None, retry=Retry(NoBackoff(), 0))


def filled(admin: redis.Redis, entries: int) -> None:
    for start in range(1, entries + 1, STEP):
        admin.eval(FILL, 1, STREAM, start, min(start + STEP - 1, entries), FIRST_MS, BODY)
    admin.xgroup_create(STREAM, "far", "$")
    admin.xgroup_create(STREAM, "deep", f"{FIRST_MS + entries // PARTS}-0")
    for _ in range(0, entries - entries // PARTS, STEP):
        admin.eval(READ, 1, STREAM, "deep", STEP)


def measures(entries: int) -> dict[str, Measured]:
    """In the order in which they leave enough for the next."""
    keys, part = StreamKeys(STREAM), entries // PARTS

    async def poll(client: Redis) -> str:
        for _ in range(50):
            (found,) = await read_backlogs(client, [(keys, ["far", "deep"])])
        return f"{found.groups['deep'].pending:,} pending"

    async def foretell(client: Redis) -> str:
        (found,) = await read_backlogs(client, [(keys, ["far", "deep"])])
        plan = await plan_trim(client, STREAM, found.groups, 2 * part, lambda count: None)
        return f"{plan.removable:,} removable"

    def cut(policy: Policy, **limits: int) -> Measured:
        async def run(client: Redis) -> str:
            result = await trim(client, STREAM, ["far"], policy=policy, **limits)
            lost = sum(one.unread + one.pending for one in result.destroyed)
            return f"{result.removed:,} removed, {lost:,} destroyed, {result.why or 'limits met'}"

        return run

    return {
        "a look at the backlog": poll,
        "trim --dry-run": foretell,
        "Safe, by length": cut(Policy.SAFE, max_length=entries - part // 2),
        "Safe, to a deep group": cut(Policy.SAFE, max_length=entries - 2 * part),
        "Force, by length": cut(Policy.FORCE, max_length=entries - 2 * part),
    }


async def on(target: object, measured: Measured, admin: redis.Redis) -> tuple[str, float]:
    """What it said, and the server's CPU in us."""
    admin.config_set("latency-tracking-info-percentiles", PERCENTILES)
    admin.config_resetstat()
    before = cpu(admin)
    async with connect(target, role="admin") as client:  # type: ignore[arg-type]
        said = await measured(client)
    return said, cpu(admin) - before


def cpu(admin: redis.Redis) -> float:
    info = admin.info("cpu")
    return 1e6 * (info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"])


def show(what: str, admin: redis.Redis, told: tuple[str, float]) -> None:
    said, micros = told
    stats, latencies = admin.info("commandstats"), admin.info("latencystats")
    name = max(
        (one for one in stats if one.startswith("cmdstat_eval")),
        key=lambda one: stats[one]["calls"],
    )
    calls = stats[name]["calls"]
    spread = latencies[name.replace("cmdstat", "latency_percentiles_usec")]
    figures = [float(spread[f"p{p}"]) for p in PERCENTILES.split()]
    columns = "".join(f"{one:>8,.0f}" for one in (*figures, micros / calls))
    print(f"{what:24}{calls:>8,}{columns}  {said}")


if __name__ == "__main__":
    main()
