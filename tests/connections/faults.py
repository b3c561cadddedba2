"""What befalls a connection, by name: how it begins, how it ends, and what the log must say."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from headrace.worker.settling.refusals import MAX_PAUSE_SECONDS
from tests.connections import scenes
from tests.connections.scene import Scene
from tests.support import scratch, waiting
from tests.support.ports import free_port
from tests.support.workers import GROUP, STREAM

Step = Callable[[Any], object]
Make = Callable[[str], Scene]
FILLERS = 400
"""Keys beside the stream, each of which a server that loads is slow with."""


@dataclass(frozen=True)
class Fault:
    """`said`: words of the log, `later_said` those on servers after Redis 7.0 where they differ.
    `away`: nothing can be handled while it lasts, so that a worker is not ready after ten seconds
    of it. `takes`: the stream's entries are gone with it. `repeats`: what had ended of late may be
    handled again. `pause`: seconds that an entry, once refused, may wait for its next run."""

    name: str
    said: str
    begin: Step
    end: Step = lambda _: None
    make: Make = Scene
    away: bool = True
    takes: bool = False
    repeats: bool = False
    pause: float = 0.0
    later_said: str = ""

    def words(self, kind: str) -> str:
        """What the log must say on this kind of server."""
        return self.said if kind == "redis" else self.later_said or self.said


def _signal(number: signal.Signals) -> Step:
    def step(scene: Scene) -> None:
        assert scene.server.process is not None
        scene.server.process.send_signal(number)

    return step


def _config(**values: str) -> Step:
    words = [word for name, value in values.items() for word in (name.replace("_", "-"), value)]
    return lambda scene: scene.redis.config_set(*words)


def _start(scene: Scene) -> None:
    scene.server.start()
    scene.wait_for_server()


def _load(seconds: float) -> Step:
    """Start anew, and take about so long to load."""

    def step(scene: Scene) -> None:
        pipeline = scene.redis.pipeline(transaction=False)
        for number in range(FILLERS):
            pipeline.set(f"filler:{number}", f"{number:02000d}")
        pipeline.execute()
        scene.redis.bgrewriteaof()
        waiting.until("a written file", lambda: not _rewrites(scene.redis))
        scene.server.kill()
        delay = round(seconds * 1e6 / FILLERS)
        slow = ("--key-load-delay", str(delay), "--loading-process-events-interval-bytes", "1024")
        before, scene.server.options = scene.server.options, (*scene.server.options, *slow)
        scene.server.launch()
        scene.server.options = before

    return step


def _rewrites(client: redis.Redis) -> bool:
    told: Any = client.info("persistence")
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])


def _follow_nobody(stale: str) -> Step:
    """Become the replica of a primary that is not there."""

    def step(scene: Scene) -> None:
        scene.redis.config_set("replica-serve-stale-data", stale)
        scene.redis.replicaof("127.0.0.1", free_port())

    return step


def _no_password(scene: Scene) -> None:
    scene.redis.config_set("requirepass", "")


def _want_password(scene: Scene) -> None:
    scene.redis.config_set("requirepass", "s3cret")
    scene.kill_connections()


def _fill(scene: Scene) -> None:
    """While handlers run that have something to write."""
    scene.send(20, seconds=1.0)
    scene.redis.config_set("maxmemory", "1")


def _hang(scene: Scene) -> None:
    def run() -> None:
        with redis.Redis(port=scene.server.port) as client, contextlib.suppress(redis.RedisError):
            client.eval("while true do end", 0)

    threading.Thread(target=run, daemon=True).start()

    def busy() -> bool:
        try:
            scene.redis.ping()
        except redis.RedisError as error:
            return "BUSY" in str(error)
        return False

    waiting.until("a busy server", busy)


def _lose_disk(scene: Scene) -> None:
    gone = scratch.directory("gone")
    scene.redis.config_set("dir", str(gone))
    gone.rmdir()
    scene.redis.config_set("save", "3600 1")
    _save(scene, "err")


def _find_disk(scene: Scene) -> None:
    scene.redis.config_set("dir", str(scene.server.directory))
    _save(scene, "ok")


def _save(scene: Scene, how: str) -> None:
    def saved() -> bool:
        with contextlib.suppress(redis.ResponseError):
            scene.redis.bgsave()
        told: Any = scene.redis.info("persistence")
        return bool(told["rdb_last_bgsave_status"] == how)

    waiting.until(f"a save that ends {how}", saved)


def _block(scene: Scene) -> None:
    scene.redis.rename(STREAM, "{flights}:aside")
    scene.redis.set(STREAM, "in the way")


def _unblock(scene: Scene) -> None:
    scene.redis.delete(STREAM)
    scene.redis.rename("{flights}:aside", STREAM)


def _evict(scene: Scene) -> None:
    scene.redis.config_set("maxmemory-policy", "allkeys-random", "maxmemory", "1")
    with contextlib.suppress(redis.RedisError):
        scene.redis.set("another", "key")  # whatever is written makes room first
    waiting.until("an evicted stream", lambda: not scene.redis.exists(STREAM))


def _cluster(*command: Any) -> Step:
    return lambda scene: scene.redis.execute_command("CLUSTER", *command)


def _half_moved(scene: scenes.TwoNodes) -> None:
    scene.begin_move()
    scene.move_keys(STREAM)


def _nearly_moved(scene: scenes.TwoNodes) -> None:
    scene.begin_move()
    scene.move_keys()


def _moved(scene: scenes.TwoNodes) -> None:
    scene.begin_move()
    scene.end_move()


FAULTS = [
    Fault("refused", "Error 111", lambda scene: scene.server.kill(), _start),
    Fault("never answers", "no answer", _signal(signal.SIGSTOP), _signal(signal.SIGCONT)),
    Fault(
        "half-open",
        "imeout",
        lambda scene: scene.proxy.vanish(),
        lambda scene: scene.proxy.come_back(),
        scenes.Proxied,
    ),
    Fault(
        "dropped in mid-reply",
        "closed",
        lambda scene: scene.again_and_again(scene.proxy.cut_replies),
        lambda scene: scene.stop(),
        scenes.Proxied,
        away=False,  # small replies pass between two cuts
    ),
    Fault(
        "replies lost",
        "closed",
        lambda scene: scene.again_and_again(scene.proxy.withhold_replies),
        lambda scene: scene.stop(),
        scenes.Proxied,
        away=False,
    ),
    Fault("LOADING", "LOADING", _load(15.0), Scene.wait_for_server),
    Fault(
        "READONLY",
        "READONLY",
        _follow_nobody("yes"),
        lambda scene: scene.redis.replicaof("NO", "ONE"),
    ),
    Fault(
        "MASTERDOWN",
        "MASTERDOWN",
        _follow_nobody("no"),
        lambda scene: scene.redis.replicaof("NO", "ONE"),
    ),
    Fault(
        "CLUSTERDOWN",
        "CLUSTERDOWN",
        _cluster("DELSLOTS", 16383),
        _cluster("ADDSLOTS", 16383),
        scenes.OneNode,
    ),
    # Later servers tell a blocked reader as soon as its key has gone: that is before MOVED.
    Fault("MOVED", "MOVED", _moved, make=scenes.TwoNodes, away=False, later_said="ASK"),
    Fault("ASK", "ASK", _nearly_moved, lambda scene: scene.end_move(), scenes.TwoNodes),
    Fault("TRYAGAIN", "TRYAGAIN", _half_moved, lambda scene: scene.end_move(), scenes.TwoNodes),
    Fault("NOAUTH", "NOAUTH", _want_password, _no_password),
    Fault(
        "WRONGPASS",
        "WRONGPASS",
        lambda scene: scene.rule("resetpass", f">{scenes.NEW_PASSWORD}"),
        lambda scene: scene.tell(scenes.NEW_PASSWORD),
        scenes.WithUser,
    ),
    Fault(
        "NOPERM",
        "NOPERM",
        lambda scene: scene.rule("-xreadgroup"),
        lambda scene: scene.rule("+@all"),
        scenes.WithUser,
    ),
    Fault(
        "OOM",
        "OOM",
        _fill,
        _config(maxmemory="0"),
        away=False,
        repeats=True,
        pause=MAX_PAUSE_SECONDS,
    ),
    Fault("BUSY", "BUSY", _hang, lambda scene: scene.redis.script_kill()),
    Fault("MISCONF", "MISCONF", _lose_disk, _find_disk),
    Fault(
        "NOGROUP",
        "group",
        lambda scene: scene.redis.xgroup_destroy(STREAM, GROUP),
        away=False,
        repeats=True,
    ),
    Fault("stream deleted", "group", lambda s: s.redis.delete(STREAM), away=False, takes=True),
    Fault("wrong key type", "string", _block, _unblock),
    Fault("key evicted", "group", _evict, _config(maxmemory="0"), takes=True),
    Fault(
        "DNS change",
        "Error 111",
        lambda scene: scene.proxy.move("127.0.0.2"),
        lambda scene: scene.name("127.0.0.2"),
        scenes.Named,
    ),
    Fault(
        "certificate expired",
        "expired",
        lambda scene: scene.show("expired"),
        lambda scene: scene.show("renewed"),
        scenes.WithTls,
    ),
    Fault(
        "NOREPLICAS",
        "NOREPLICAS",
        _config(min_replicas_to_write="1"),
        _config(min_replicas_to_write="0"),
    ),
]
