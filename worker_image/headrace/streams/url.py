"""Where a server is, in words: `host:port`, and URLs.

`redis://[user:password@]host[:port][/database]`, `rediss://` for TLS.

What is wrong with one is said without showing it: it may hold a password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

DEFAULT_PORT = 6379
FORM = "write redis://host:6379/0, or rediss:// for TLS"
_TLS_FILES = {"ssl_ca_certs": "ca_file", "ssl_certfile": "cert_file", "ssl_keyfile": "key_file"}


class BadUrl(ValueError):
    """The URL cannot be used; the message says why, and never what it was."""


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The parts of a URL. `username` is None for the default user, `tls_files` None without TLS:
    paths, by the names that `connect.Tls` has for them."""

    host: str
    port: int
    database: int
    tls_files: Mapping[str, str] | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """`host:port` or `[v6]:port`."""
        return join_endpoint(self.host, self.port)


def check(url: str) -> None:
    """Raise BadUrl where redis-py would pass over a part and go on. Its own options are fine."""
    if not url.startswith("unix://"):
        _split(url)


def parse(url: str) -> RedisUrl:
    """Raises BadUrl for whatever would otherwise be passed over: a port, a database, an option."""
    parts, options, database = _split(url)
    known = {"db", *_TLS_FILES} if parts.scheme == "rediss" else {"db"}
    if parts.fragment or options.keys() - known:  # not shown: it may be half of a password
        raise BadUrl(
            f"the Redis URL has an option other than {', '.join(sorted(known))}, or a # or ? in"
            " its password that must be written %23 or %3F"
        )
    files = {name: options[one][0] for one, name in _TLS_FILES.items() if one in options}
    return RedisUrl(
        host=parts.hostname or "",
        port=DEFAULT_PORT if parts.port is None else parts.port,
        database=database,
        tls_files=files if parts.scheme == "rediss" else None,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises ValueError with a sentence."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"Redis endpoint {endpoint!r} must be written host:port")
    return host.strip("[]"), int(port)


def join_endpoint(host: str, port: int) -> str:
    """What `split_endpoint` takes apart."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(url: str) -> tuple[SplitResult, dict[str, list[str]], int]:
    """The parts, the options and the database. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text quotes what stands where the port should be
        raise BadUrl(
            "the Redis URL's port is no number, or its password holds a / or @"
            f" that must be written %2F or %40; {FORM}"
        ) from None
    if parts.scheme not in ("redis", "rediss") or not host:
        raise BadUrl(f"the Redis URL has no redis:// or rediss:// before a host; {FORM}")
    options = parse_qs(parts.query, keep_blank_values=True)
    path = unquote(parts.path).strip("/")
    database = options["db"][0] if "db" in options else path or "0"
    if not database.isdecimal() or ("db" in options and path not in ("", database)):
        raise BadUrl(
            "the Redis URL's database is no whole number, or given twice; write /0 or ?db=0"
        )
    return parts, options, int(database)
