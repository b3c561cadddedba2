"""Where a pipeline's Redis is, when a RedisConnection or a URL in a Secret says it."""

import base64
from typing import Any

import pytest
from tests.support.observations import pipeline

from headrace_api.v1alpha1 import Reason, Redis, StreamPipeline, Tls
from headrace_operator.identity import place_of
from headrace_operator.plan import connection
from headrace_operator.plan.place import NoPlace, named, with_redis
from headrace_operator.reconcile.referenced_objects import Fetched, access_of
from headrace_operator.reconcile.url_place import place_in

PASSWORD = "c4nary"


def by_url(**redis: Any) -> StreamPipeline:
    ref = {"name": "managed", "urlKey": "REDIS_URL"}
    return pipeline({"spec.redis": {"credentialsSecretRef": ref, **redis}})


def secret(url: bytes, key: str = "REDIS_URL") -> Fetched:
    data = {key: base64.b64encode(url).decode()}
    return Fetched({"managed": {"metadata": {"name": "managed", "uid": "u"}, "data": data}}, {})


def placed(url: str, **redis: Any) -> Redis:
    return place_in(by_url(**redis).spec.redis, secret(url.encode()))


def test_host_port_and_database_are_the_url_s() -> None:
    redis = placed(f"redis://bob:{PASSWORD}@cache.example:6380/3\n")
    assert (redis.endpoints, redis.database, redis.tls) == (("cache.example:6380",), 3, None)
    assert PASSWORD not in repr(redis)


def test_rediss_turns_tls_on_and_keeps_what_the_spec_says_of_it() -> None:
    assert placed("rediss://cache.example").tls == Tls()
    tls = {"serverName": "other.example"}
    assert placed("rediss://cache.example", tls=tls).tls == Tls(server_name="other.example")
    assert placed("redis://cache.example", tls=tls).tls == Tls(server_name="other.example")


def test_user_and_password_are_the_url_s_and_may_be_left_out() -> None:
    for url, login in (
        (f"redis://bob:{PASSWORD}%40@cache", ("bob", f"{PASSWORD}@")),
        (f"redis://:{PASSWORD}@cache", (PASSWORD,)),
        ("redis://cache", None),
    ):
        found = secret(url.encode())
        redis = place_in(by_url().spec.redis, found)
        known = access_of(redis, "airport", found).credentials
        assert (known.get_credentials() if known else None) == login


def test_one_redis_is_one_place_however_it_is_written() -> None:
    """Claims and checkpoints go by it."""
    subject = with_redis(by_url(), placed(f"redis://:{PASSWORD}@cache.example:6380/3"))
    same = pipeline({"spec.redis": {"endpoints": ["cache.example:6380"], "database": 3}})
    assert place_of(subject) == place_of(same)
    rotated = with_redis(by_url(), placed("redis://:other@cache.example:6380/3"))
    assert place_of(rotated) == place_of(subject)


def test_pods_mount_the_url_and_nothing_else() -> None:
    (volume,) = connection.volumes(by_url())
    source = {"name": "managed", "items": [{"key": "REDIS_URL", "path": "url"}]}
    assert volume["projected"]["sources"] == [{"secret": source}]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://:{PASSWORD}@cache", "no redis:// or rediss:// before a host"),
        (f"redis://:{PASSWORD}/x@cache", "port is no number"),
        (f"redis://:{PASSWORD}@cache/abc", "database is no whole number"),
        (f"redis://:{PASSWORD}@cache/99999", "names a database that this mode does not have"),
        (f"rediss://:{PASSWORD}@cache?ssl_cert_reqs=none", "has an option other than"),
        (f"rediss://:{PASSWORD}@cache?ssl_ca_certs=/x", "names files, which pods do not have"),
        (f"redis://:{PASSWORD}@ca_che", "neither a DNS name nor an address"),
        ("", "no redis:// or rediss:// before a host"),
    ],
)
def test_a_bad_url_is_one_sentence_that_names_the_key_and_shows_nothing(
    url: str, said: str
) -> None:
    with pytest.raises(NoPlace) as raised:
        placed(url)
    assert raised.value.reason is Reason.REDIS_URL_INVALID
    assert str(raised.value).startswith("Secret managed, key REDIS_URL: ")
    assert said in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_cluster_has_database_0_only() -> None:
    assert placed("redis://cache:6379", mode="Cluster").endpoints == ("cache:6379",)
    with pytest.raises(NoPlace, match="a database that this mode does not have"):
        placed("redis://cache:6379/1", mode="Cluster")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Fetched({"managed": None}, {}), Reason.SECRET_NOT_FOUND),
        (secret(b"redis://cache", key="other"), Reason.KEY_NOT_FOUND),
        (secret(b"\xff"), Reason.REDIS_URL_INVALID),
    ],
    ids=["no Secret", "no key", "no text"],
)
def test_what_is_missing_is_told_as_of_any_secret(found: Fetched, reason: Reason) -> None:
    with pytest.raises(NoPlace) as raised:
        place_in(by_url().spec.redis, found)
    assert raised.value.reason is reason


def by_name(**changes: Any) -> StreamPipeline:
    return pipeline({"spec.redis": {"connectionRef": {"name": "shared"}}, **changes})


SENTINELS = {
    "mode": "Sentinel",
    "endpoints": ["a:1", "b:1"],
    "sentinel": {"masterName": "m"},
    "credentialsSecretRef": {"name": "auth"},
    "tls": {"serverName": "redis.example"},
}


def test_a_connection_says_all_that_the_pipeline_would() -> None:
    said = named(by_name(), {"spec": SENTINELS})
    assert said == pipeline({"spec.redis": SENTINELS}).spec.redis
    url = {"credentialsSecretRef": {"name": "managed", "urlKey": "REDIS_URL"}}
    assert named(by_name(), {"spec": url}) == by_url().spec.redis


@pytest.mark.parametrize(
    ("ours", "theirs", "counts"),
    [("Warn", "Warn", "Warn"), ("Accept", "Warn", "Accept"), ("Warn", "Accept", "Accept")],
)
def test_a_loss_that_either_accepts_is_accepted(ours: str, theirs: str, counts: str) -> None:
    subject = by_name(**{"spec.redis.dataLoss": ours})
    assert named(subject, {"spec": {"endpoints": ["a:1"], "dataLoss": theirs}}).data_loss == counts


@pytest.mark.parametrize(
    ("changes", "connection", "reason", "said"),
    [
        ({}, None, Reason.CONNECTION_NOT_FOUND, "RedisConnection shared (redis.connectionRef)"),
        ({}, {"spec": {"endpoints": 7}}, Reason.CONNECTION_INVALID, "shared cannot be read"),
        ({}, {}, Reason.CONNECTION_INVALID, "shared cannot be read"),
        (
            {"spec.deadLetter": {"stream": "elsewhere"}},
            {"spec": {"mode": "Cluster", "endpoints": ["a:1"]}},
            Reason.INVALID_SPEC,
            "with RedisConnection shared: in mode Cluster deadLetter.stream must share",
        ),
    ],
    ids=["missing", "of another schema", "empty", "a Cluster"],
)
def test_a_connection_that_will_not_do_is_told(
    changes: dict[str, Any], connection: Any, reason: Reason, said: str
) -> None:
    with pytest.raises(NoPlace) as raised:
        named(by_name(**changes), connection)
    assert raised.value.reason is reason
    assert said in str(raised.value)


def test_a_spec_that_is_equal_to_the_earlier_one_is_that_very_one() -> None:
    """What was rendered from it is kept by that."""
    redis = named(by_name(), {"spec": SENTINELS})
    first = with_redis(by_name(), redis)
    again = with_redis(by_name(), named(by_name(), {"spec": SENTINELS}), first.spec)
    assert again.spec is first.spec
    plain = pipeline()
    assert with_redis(plain, pipeline().spec.redis) is plain
