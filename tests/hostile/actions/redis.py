"""What happens to Redis, and to what is in it."""

from __future__ import annotations

import contextlib
import signal

import redis

from tests.hostile.actions.registry import act, in_force
from tests.hostile.actions.spec import try_spec
from tests.hostile.story import Step
from tests.hostile.world import Undo, World
from tests.support.redis_servers import RedisServer


@act(weight=4)
def push_entries(world: World, step: Step) -> Undo | None:
    if world.redis_is_well:
        with contextlib.suppress(redis.RedisError):
            world.push(step.pick((50, 150, 450, 900)))
    return None


@act(weight=3)
def drain_entries(world: World, step: Step) -> Undo | None:
    if world.redis_is_well:
        with contextlib.suppress(redis.RedisError):
            world.drain()
    return None


@act(weight=3)
def redis_stops(world: World, step: Step) -> Undo | None:
    """And has forgotten everything when it is back."""
    server = world.redis
    if not world.redis_is_well:
        return None

    def undo() -> None:
        server.start()
        world.set_password(server)

    return in_force(world, server.kill, undo, "redis")


@act(weight=4)
def redis_freezes(world: World, step: Step) -> Undo | None:
    server = world.redis
    if not world.redis_is_well or server.process is None:
        return None
    process = server.process
    return in_force(
        world,
        lambda: process.send_signal(signal.SIGSTOP),
        lambda: process.send_signal(signal.SIGCONT),
        "redis",
    )


@act(weight=2)
def password_changes(world: World, step: Step) -> Undo | None:
    if not world.shape.password or not world.redis_is_well:
        return None

    def set_to(password: str, now: str) -> None:
        with redis.Redis(port=world.redis.port, password=now) as client:
            client.config_set("requirepass", password)
            client.client_kill_filter(_type="normal", skipme=True)

    return in_force(
        world,
        lambda: set_to("another", world.secret),
        lambda: set_to(world.secret, "another"),
        "password",
    )


@act(weight=3)
def flush(world: World, step: Step) -> Undo | None:
    if world.redis_is_well:
        with world.client() as client:
            client.flushall()
    return None


@act(weight=4)
def destroy_group(world: World, step: Step) -> Undo | None:
    """By hand, with or without what Headrace keeps beside it."""
    if not world.redis_is_well:
        return None
    name = step.pick(world.groups)["name"]
    with world.client() as client, contextlib.suppress(redis.ResponseError):
        client.xgroup_destroy("flights", name)
        if step.chance(0.5, 1):
            client.delete(world.state_key(name))
    return None


@act(weight=3)
def lose_claim(world: World, step: Step) -> Undo | None:
    """The key is evicted."""
    if world.redis_is_well:
        with world.client() as client:
            client.delete(world.state_key(step.pick(world.groups)["name"]))
    return None


@act(weight=2)
def wrong_type(world: World, step: Step) -> Undo | None:
    """Somebody writes a string under the stream's name."""
    if not world.redis_is_well:
        return None

    def do() -> None:
        with world.client() as client:
            client.set("flights", "x")

    def undo() -> None:
        with contextlib.suppress(redis.RedisError), world.client() as client:
            if client.type("flights") == "string":
                client.delete("flights")

    return in_force(world, do, undo, "wrong type")


@act(weight=4)
def move_redis(world: World, step: Step) -> Undo | None:
    """Another server, where entries may be waiting already; the old one goes on, or does not."""
    if not world.redis_is_well or world.second_redis is not None:
        return None
    other = RedisServer("redis").start()
    world.set_password(other)
    world.second_redis, world.redis = world.redis, other
    if step.chance(0.5):
        world.push(150)
    place = {**world.spec["redis"], "endpoints": [other.endpoint]}
    if not try_spec(world, {**world.spec, "redis": place}):
        world.second_redis, world.redis = other, world.second_redis
        return None
    if step.chance(0.3, 1):
        world.second_redis.kill()
    world.left.clear()
    return None
