"""The status of a RedisConnection, from what was found behind it."""

from typing import Any

from headrace.streams.facts import facts_of
from headrace.streams.info import info_of
from headrace.streams.shards import Shard
from headrace_api.v1alpha1 import DataLoss, Reason, RedisConnectionStatus
from headrace_operator.plan.connection_status import Found, status_of
from headrace_operator.plan.problems import Problem

SAFE = {
    "redis_version": "7.2.4",
    "role": "master",
    "connected_slaves": "1",
    "aof_enabled": "1",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
}


def found(*servers: dict[str, str], problem: Problem | None = None) -> Found:
    texts = ["\r\n".join(f"{k}:{v}" for k, v in (SAFE | one).items()) for one in servers]
    return Found("redis:6379/0", tuple(map(facts_of, map(info_of, texts))), problem)


def status(subject: Found, data_loss: DataLoss = DataLoss.WARN) -> dict[str, Any]:
    live = {"metadata": {"generation": 3}}
    made = status_of(live, subject, pipelines=50, data_loss=data_loss, now=1.0)
    RedisConnectionStatus.model_validate(made)  # as the API server takes it
    return made


def conditions(made: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in made["conditions"]}


def test_one_server_is_told_by_what_matters() -> None:
    made = status(found({}))
    assert conditions(made) == {"Ready": ("True", "Available")}
    assert {name: made[name] for name in made if name != "conditions"} == {
        "observedGeneration": 3,
        "endpoint": "redis:6379/0",
        "server": "redis 7.2.4",
        "role": "primary, 1 replica",
        "persistence": "appendonly",
        "evictionPolicy": "noeviction",
        "pipelines": 50,
    }


def test_a_cluster_is_told_by_all_its_primaries() -> None:
    made = status(found({}, {"connected_slaves": "2"}, {"redis_version": "7.4.1"}))
    assert (made["role"], made["server"]) == ("3 primaries, 4 replicas", "redis 7.2.4, redis 7.4.1")
    assert made["evictionPolicy"] == "noeviction"


def test_what_a_server_does_not_say_is_left_out() -> None:
    subject = Found("redis:6379/0", (facts_of(info_of("redis_version:7.2.4")),))
    made = status(subject)
    assert "persistence" not in made
    assert "evictionPolicy" not in made
    assert conditions(made) == {"Ready": ("True", "Available")}


def test_one_that_can_lose_events_says_so_unless_that_is_accepted() -> None:
    risky = found({"aof_enabled": "0", "connected_slaves": "0"})
    assert conditions(status(risky))["PersistenceRisk"] == ("True", "NotPersistent")
    assert "PersistenceRisk" not in conditions(status(risky, DataLoss.ACCEPT))
    message = status(risky)["conditions"][-1]["message"]
    assert "or write dataLoss: Accept (https://" in message


def test_a_server_that_is_too_old_or_a_replica_is_refused_in_words() -> None:
    for server, reason, words in (
        ({"redis_version": "6.2.14"}, "RedisTooOld", "redis 6.2.14 is too old: use Redis 7.0"),
        ({"role": "slave"}, "RedisRefused", "name its primary"),
    ):
        made = status(found(server))
        ready = {"Ready": ("False", reason), "Stalled": ("True", reason)}
        assert conditions(made) == ready
        assert words in made["conditions"][0]["message"]


def test_a_problem_leaves_out_what_is_not_known() -> None:
    problem = Problem(Reason.REDIS_UNREACHABLE, "no Redis answers there")
    made = status(Found("redis:6379/0", problem=problem))
    assert "server" not in made
    assert conditions(made) == {
        "Ready": ("False", "RedisUnreachable"),
        "Reconciling": ("True", "RedisUnreachable"),
    }


def test_a_hot_shard_is_a_condition_beside_ready() -> None:
    shards = tuple(Shard(f"n{i}:1", size << 20, 0.0) for i, size in enumerate((90, 5, 5)))
    made = status(Found("n0:1/0", found({}, {}, {}).servers, shards=shards))
    assert conditions(made)["ShardsUneven"] == ("True", "HotShard")
    assert conditions(made)["Ready"] == ("True", "Available")
