"""Who we are to Redis: never shown, and read anew for each connection."""

from pathlib import Path
from typing import TypeAlias

from redis.credentials import CredentialProvider


class NoCredentials(OSError):
    """The credential files that the target names cannot be read."""


class FileCredentials(CredentialProvider):
    """`username` (optional) and `password` files of a mounted Secret, re-read at each connection.

    A rotated Secret is therefore used by the next connection, without a restart.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """(password,) or (username, password). Raises NoCredentials."""
        try:
            password = without_newline((self.directory / "password").read_text("utf-8"))
            name = self.directory / "username"
            username = without_newline(name.read_text("utf-8")) if name.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise NoCredentials(
                f"cannot read the Redis credentials in {self.directory}: {type(error).__name__};"
                " check the Secret that credentialsSecretRef names, and its keys"
            ) from None
        return (username, password) if username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"FileCredentials({str(self.directory)!r})"


class StaticCredentials(CredentialProvider):
    """A username (None: the default user) and password held in memory; never shown by repr()."""

    def __init__(self, username: str | None, password: str) -> None:
        self._username = username
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        return (self._username, self._password) if self._username else (self._password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()

    def __repr__(self) -> str:
        return f"StaticCredentials(username={self._username!r}, password=***)"


Credentials: TypeAlias = FileCredentials | StaticCredentials


def without_newline(value: str) -> str:
    """Secrets made with `echo` end in a newline that no user name and no password has."""
    return value.rstrip("\r\n")
