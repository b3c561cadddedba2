"""Who we are to Redis: never shown, and read anew for each connection."""

from pathlib import Path
from typing import TypeAlias

from redis.credentials import CredentialProvider

from headrace.streams.url import BadUrl, RedisUrl, parse

Login: TypeAlias = tuple[str] | tuple[str, str]
"""(password,) or (username, password)."""


class NoCredentials(OSError):
    """The credential files that the target names cannot be read."""


class FileCredentials(CredentialProvider):
    """Files of a mounted Secret, re-read at each connection: `username` (optional) and `password`,
    or `url`, of which user and password count.

    A rotated Secret is therefore used by the next connection, without a restart.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def get_credentials(self) -> Login:
        """Raises NoCredentials."""
        try:
            if (url := self._read("url")) is not None:
                known = credentials_of_url(parse(url))
                # Of an empty one redis-py sends nothing, as a server without a password wants it.
                return known.get_credentials() if known is not None else ()  # type: ignore[return-value]
            username = self._read("username")
            password = without_newline((self.directory / "password").read_text("utf-8"))
        except (OSError, UnicodeDecodeError, BadUrl) as error:
            why = str(error) if isinstance(error, BadUrl) else type(error).__name__
            raise NoCredentials(
                f"cannot read the Redis credentials in {self.directory}: {why};"
                " check the Secret that credentialsSecretRef names, and its keys"
            ) from None
        return (username, password) if username else (password,)

    def _read(self, name: str) -> str | None:
        """None where there is no such file."""
        path = self.directory / name
        return without_newline(path.read_text("utf-8")) if path.exists() else None

    async def get_credentials_async(self) -> Login:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"FileCredentials({str(self.directory)!r})"


class StaticCredentials(CredentialProvider):
    """A username (None: the default user) and password held in memory; never shown by repr()."""

    def __init__(self, username: str | None, password: str) -> None:
        self._username = username
        self._password = password

    def get_credentials(self) -> Login:
        return (self._username, self._password) if self._username else (self._password,)

    async def get_credentials_async(self) -> Login:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"StaticCredentials(username={self._username!r}, password=***)"


Credentials: TypeAlias = FileCredentials | StaticCredentials


def credentials_of_url(url: RedisUrl, password: str | None = None) -> StaticCredentials | None:
    """Those of the URL, else its user with this password, else None."""
    known = url.password or password
    return StaticCredentials(url.username, known) if known else None


def without_newline(value: str) -> str:
    """Secrets made with `echo` end in a newline that no user name and no password has."""
    return value.rstrip("\r\n")
