"""URLs of Sentinel sets and of Clusters, for programs that know no StreamPipeline:

    redis+sentinel://[user:password@]host[:port][,host[:port] ...]/master[/database]
    redis+cluster://[user:password@]host[:port][,host[:port] ...]

`rediss+...` speaks TLS with all of them. User and password are those of the servers; sentinels that
want one have it in `?sentinel_username=...&sentinel_password=...`. What is wrong is said without
showing the URL: it may hold a password.
"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from headrace.streams.connect import Mode, Target, Tls
from headrace.streams.credentials import StaticCredentials
from headrace.streams.url import BadUrl

FORMS = {
    Mode.SENTINEL: "redis+sentinel://host:26379,host:26379/mymaster/0",
    Mode.CLUSTER: "redis+cluster://host:6379,host:6379",
}
_MODES = {"sentinel": Mode.SENTINEL, "cluster": Mode.CLUSTER}
_PORTS = {Mode.SENTINEL: "26379", Mode.CLUSTER: "6379"}
_TLS_FILES = {"ssl_ca_certs": "ca_file", "ssl_certfile": "cert_file", "ssl_keyfile": "key_file"}
_SENTINEL = ("sentinel_username", "sentinel_password")

Place = tuple[Target, StaticCredentials | None]


def parse(url: str) -> Place | None:
    """The target and its credentials; None for a URL of one server. Raises BadUrl for whatever
    would otherwise be passed over."""
    scheme, _, _ = url.partition("://")
    speaks, plus, kind = scheme.partition("+")
    if not plus:
        return None
    mode = _MODES.get(kind)
    if mode is None or speaks not in ("redis", "rediss"):
        raise BadUrl(f"the Redis URL begins unlike any: write {' or '.join(FORMS.values())}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadUrl(f"the Redis URL cannot be read; write {FORMS[mode]}") from None
    user, _, hosts = parts.netloc.rpartition("@")
    if "@" in user or parts.fragment:
        raise BadUrl("a @ or # in the Redis URL's password must be written %40 or %23")
    master, database = _path(mode, parts.path)
    options = _options(mode, parts.query, tls=speaks == "rediss")
    files = {name: options[one] for one, name in _TLS_FILES.items() if one in options}
    sentinel = _credentials(*(options.get(name) for name in _SENTINEL))
    target = Target(
        endpoints=tuple(_endpoint(mode, host) for host in hosts.split(",")),
        mode=mode,
        database=database,
        sentinel_master=master,
        tls=Tls(**files) if speaks == "rediss" else None,
        sentinel_credentials=sentinel,
    )
    name, _, password = user.partition(":")
    return target, _credentials(unquote(name) or None, unquote(password) or None)


def _endpoint(mode: Mode, host: str) -> str:
    """With the port that is usual where none is given."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, _PORTS[mode]
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadUrl(
            f"a host of the Redis URL has no name, or a port that is no number from 1 to 65535;"
            f" write {FORMS[mode]}"
        )
    return f"{name}:{port}"


def _path(mode: Mode, path: str) -> tuple[str | None, int]:
    words = [unquote(word) for word in path.strip("/").split("/") if word]
    if mode is Mode.CLUSTER:
        if words not in ([], ["0"]):
            raise BadUrl("a Redis Cluster has database 0 alone: end the URL after its hosts")
        return None, 0
    if not words or len(words) > 2 or not (words[1:] or ["0"])[0].isdecimal():
        raise BadUrl(
            f"the Redis URL names no primary of the sentinels, or a database that is no whole"
            f" number; write {FORMS[mode]}"
        )
    return words[0], int((words[1:] or ["0"])[0])


def _options(mode: Mode, query: str, *, tls: bool) -> dict[str, str]:
    known = {*(_TLS_FILES if tls else ()), *(_SENTINEL if mode is Mode.SENTINEL else ())}
    options = parse_qs(query, keep_blank_values=True)
    if options.keys() - known:  # not shown: it may be half of a password
        raise BadUrl(
            f"the Redis URL has an option other than {', '.join(sorted(known)) or 'none at all'},"
            " or a ? in its password that must be written %3F"
        )
    return {name: values[0] for name, values in options.items()}


def _credentials(name: str | None, password: str | None) -> StaticCredentials | None:
    if name and not password:
        raise BadUrl("the Redis URL has a user and no password; write user:password@")
    return StaticCredentials(name, password) if password else None
