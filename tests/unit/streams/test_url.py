"""Redis URLs: every part is used, and nothing wrong is passed over or shown."""

import pytest

from headrace.streams.connect import Tls, target_of_url
from headrace.streams.credentials import credentials_of_url
from headrace.streams.url import BadUrl, parse

PASSWORD = "s3cr3t"


def test_every_part_is_used() -> None:
    url = parse(f"redis://bob:{PASSWORD}%2F@[::1]:7000/3")
    assert (url.host, url.port, url.database) == ("::1", 7000, 3)
    assert target_of_url(url).endpoints == ("[::1]:7000",)
    credentials = credentials_of_url(url)
    assert credentials is not None
    assert credentials.get_credentials() == ("bob", f"{PASSWORD}/")


def test_what_is_left_out_has_redis_s_own_defaults() -> None:
    url = parse("redis://cache")
    target = target_of_url(url)
    assert (target.endpoints, target.database, target.tls) == (("cache:6379",), 0, None)
    assert credentials_of_url(url) is None


def test_a_password_from_elsewhere_is_used_where_the_url_has_none() -> None:
    credentials = credentials_of_url(parse("redis://bob@cache"), PASSWORD)
    assert credentials is not None
    assert credentials.get_credentials() == ("bob", PASSWORD)


def test_the_database_may_stand_in_the_path_or_in_the_query() -> None:
    assert parse("redis://cache/3").database == parse("redis://cache?db=3").database == 3
    assert parse("redis://cache/?db=3").database == 3


def test_tls_takes_files() -> None:
    url = parse("rediss://cache?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem")
    files = Tls(ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem")
    assert target_of_url(url).tls == files
    assert target_of_url(parse("rediss://cache")).tls == Tls()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://bob:{PASSWORD}/xyz@cache:6379/0", "port is no number"),
        ("redis://cache:banana", "port is no number"),
        ("redis://cache:99999", "port is no number"),
        ("redis://cache/mydb", "database is no whole number"),
        ("redis://cache/-1", "database is no whole number"),
        ("redis://cache/1?db=2", "given twice"),
        ("redis://cache?db=", "database is no whole number"),
        ("redis://cache?timeout=3", "option other than db"),
        ("redis://cache?ssl_ca_certs=/ca.pem", "option other than db"),
        (f"redis://bob:1?{PASSWORD}@cache", "written %23 or %3F"),
        (f"redis://bob:1#{PASSWORD}@cache", "written %23 or %3F"),
        (f"http://bob:{PASSWORD}@cache", "no redis://"),
        ("cache:6379", "no redis://"),
        ("redis://", "no redis://"),
        ("", "no redis://"),
    ],
)
def test_what_is_wrong_is_said_without_the_url(url: str, said: str) -> None:
    with pytest.raises(BadUrl) as raised:
        parse(url)
    assert said in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_the_password_is_not_in_a_repr() -> None:
    assert PASSWORD not in repr(parse(f"redis://bob:{PASSWORD}@cache"))
