"""URLs of Sentinel sets and Clusters: what they mean, and what is wrong with some."""

import pytest

from headrace.streams.connect import Mode, Target, Tls
from headrace.streams.topology_url import parse
from headrace.streams.url import BadUrl

PASSWORD = "hunter2"


@pytest.mark.parametrize("url", ["redis://a", "rediss://a:1/2", "unix:///tmp/redis", "a"])
def test_one_server_is_none_of_ours(url: str) -> None:
    assert parse(url) is None


def test_sentinels() -> None:
    place = parse(
        f"rediss+sentinel://u:{PASSWORD}@a:1,[::1],c/my%20master/3"
        "?ssl_ca_certs=/ca&sentinel_username=s&sentinel_password=p%40"
    )
    assert place is not None
    target, credentials = place
    assert target == Target(
        ("a:1", "[::1]:26379", "c:26379"), Mode.SENTINEL, 3, "my master", Tls(ca_file="/ca")
    )
    assert credentials is not None
    assert credentials.get_credentials() == ("u", PASSWORD)
    assert target.sentinel_credentials is not None
    assert target.sentinel_credentials.get_credentials() == ("s", "p@")


def test_a_cluster() -> None:
    assert parse("redis+cluster://a,b:7000/0") == (Target(("a:6379", "b:7000"), Mode.CLUSTER), None)
    place = parse(f"redis+cluster://:{PASSWORD}@a")
    assert place is not None
    assert place[1] is not None
    assert place[1].get_credentials() == (PASSWORD,)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("redis+sentinels://a/m", "begins unlike any"),
        ("http+cluster://a", "begins unlike any"),
        ("redis+sentinel://a", "names no primary"),
        ("redis+sentinel://a/m/x", "no whole number"),
        ("redis+sentinel://a/m/1/2", "no whole number"),
        ("redis+cluster://a/1", "database 0 alone"),
        ("redis+cluster://a,", "has no name"),
        ("redis+cluster://a:port", "no number"),
        ("redis+cluster://a:0", "no number"),
        (f"redis+cluster://u:{PASSWORD}@x@a", "%40"),
        (f"redis+cluster://u:{PASSWORD}#x@a", "%23"),
        (f"redis+cluster://:{PASSWORD}?x@a", "%3F"),
        (f"redis+cluster://a?{PASSWORD}=1", "an option other than none at all"),
        ("redis+sentinel://a/m?ssl_ca_certs=/ca", "an option other than sentinel_password"),
        ("redis+cluster://user@a", "no password"),
    ],
)
def test_what_is_wrong_is_a_sentence_without_the_url(url: str, word: str) -> None:
    with pytest.raises(BadUrl) as error:
        parse(url)
    assert word in str(error.value)
    assert PASSWORD not in str(error.value)
