"""What a pipeline's user must be allowed in Redis: what docs/redis-user.md lists, as a test holds.

The server is asked whether it would permit each command (`redis.acl_check_cmd`), which needs no
right but that to scripts. Nothing is carried out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from headrace.streams.keys import GroupKeys
from headrace.streams.script import Argument, Command, Script

_SCRIPT = Script("permits", read_only=True)


@dataclass(frozen=True, slots=True)
class Right:
    """`name` as ACL SETUSER takes it, `command` a call that needs it, `key` what it is called on.

    `only_helps`: Headrace does without, but something is slower or not shown.
    """

    name: str
    command: Command
    key: str = ""
    only_helps: bool = False


def rights_of(keys: GroupKeys) -> list[Right]:
    """All that workers, the operator and the commands use for this group and its stream."""
    own = [keys.retry, keys.failures, keys.state, keys.seen(b"id").decode()]
    streams = dict.fromkeys((keys.stream, keys.replay, keys.dead_letters))
    return [
        *_without_key(),
        *(right for key in streams for right in _on_stream(key, keys.group)),
        *(right for key in own for right in _on_own_key(key)),
        *_that_help(keys),
    ]


def right_to_emit(stream: str) -> Right:
    """What outputs need, beside the rights of the stream that they come from."""
    return Right("xadd", ("XADD", stream, "*", "f", "v"), stream)


def _without_key() -> list[Right]:
    scripts = ("eval", "evalsha", "eval_ro", "evalsha_ro")
    return [
        Right("hello", ("HELLO",)),
        Right("auth", ("AUTH", "x")),
        Right("ping", ("PING",)),
        Right("select", ("SELECT", 0)),
        Right("info", ("INFO",)),
        Right("time", ("TIME",)),
        *(Right(name, (name.upper(), "return 1", 0)) for name in scripts),
    ]


def _on_stream(key: str, group: str) -> list[Right]:
    commands: dict[str, tuple[Argument, ...]] = {
        "xadd": ("XADD", key, "*", "f", "v"),
        "xreadgroup": ("XREADGROUP", "GROUP", group, "c", "STREAMS", key, ">"),
        "xack": ("XACK", key, group, "1-1"),
        "xclaim": ("XCLAIM", key, group, "c", 0, "1-1"),
        "xpending": ("XPENDING", key, group),
        "xrange": ("XRANGE", key, "-", "+"),
        "xrevrange": ("XREVRANGE", key, "+", "-"),
        "xlen": ("XLEN", key),
        "xdel": ("XDEL", key, "1-1"),
        "xtrim": ("XTRIM", key, "MAXLEN", 1),
        "exists": ("EXISTS", key),
        "type": ("TYPE", key),
    }
    asked = [("XINFO", "STREAM", key), ("XINFO", "GROUPS", key), ("XINFO", "CONSUMERS", key, group)]
    groups = [
        ("XGROUP", "CREATE", key, group, 0),
        ("XGROUP", "DESTROY", key, group),
        ("XGROUP", "DELCONSUMER", key, group, "c"),
    ]
    return [
        *(Right(name, command, key) for name, command in commands.items()),
        *(Right("xinfo", command, key) for command in asked),
        *(Right("xgroup", command, key) for command in groups),
    ]


def _on_own_key(key: str) -> list[Right]:
    commands: dict[str, tuple[Argument, ...]] = {
        "zadd": ("ZADD", key, 1, "m"),
        "zrem": ("ZREM", key, "m"),
        "zrangebyscore": ("ZRANGEBYSCORE", key, 0, 1),
        "zcard": ("ZCARD", key),
        "zcount": ("ZCOUNT", key, 0, 1),
        "hget": ("HGET", key, "f"),
        "hset": ("HSET", key, "f", "v"),
        "hdel": ("HDEL", key, "f"),
        "hmget": ("HMGET", key, "f"),
        "hscan": ("HSCAN", key, 0),
        "get": ("GET", key),
        "set": ("SET", key, "v"),
        "mget": ("MGET", key),
        "del": ("DEL", key),
        "unlink": ("UNLINK", key),
    }
    return [Right(name, command, key) for name, command in commands.items()]


def _that_help(keys: GroupKeys) -> list[Right]:
    return [
        Right("client|id", ("CLIENT", "ID"), only_helps=True),
        Right("client|setname", ("CLIENT", "SETNAME", "x"), only_helps=True),
        Right("client|unblock", ("CLIENT", "UNBLOCK", 1), only_helps=True),
        Right("memory|usage", ("MEMORY", "USAGE", keys.stream), keys.stream, only_helps=True),
        Right("zmscore", ("ZMSCORE", keys.retry, "m"), keys.retry, only_helps=True),
        Right("scan", ("SCAN", 0), only_helps=True),
    ]


async def missing_rights(client: Redis, rights: Sequence[Right]) -> list[Right]:
    """Those that the connection's user lacks, or that the server does not know. Raises redis
    errors, among them NOPERM where the user may run no scripts."""
    words = [word for one in rights for word in (len(one.command), *one.command)]
    answers = await _SCRIPT.run(client, [], words)
    return [one for one, may in zip(rights, answers, strict=True) if may != 1]
