"""Lua scripts: EVALSHA, and on NOSCRIPT the same call as EVAL.

Servers forget scripts on restart, failover and SCRIPT FLUSH; a script is never assumed to be there.
"""

import re
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Argument: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Argument, ...]

_LUA = Path(__file__).parent / "lua"
_USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)


async def call(client: Redis, command: Command) -> Any:
    """Send one command as it stands; the reply as the server sent it (RESP2).

    redis-py reshapes replies by the command's name when it is a str (fields become a dict, which
    folds repeated names); under the same name in bytes it leaves them alone.
    """
    name = command[0]
    assert isinstance(name, str)
    return await client.execute_command(name.encode(), *command[1:])


def _source(name: str) -> str:
    """The script's text behind its library: every file that a `-- uses:` line names, once."""
    parts: dict[str, str] = {}

    def add(path: Path) -> None:
        text = path.read_text("utf-8")
        for line in _USES.findall(text):
            for used in line.split(", "):
                if used not in parts:
                    add(_LUA / "lib" / f"{used}.lua")
        parts[path.stem] = text

    add(_LUA / f"{name}.lua")
    return "\n".join(parts.values())


class Script:
    """One script of lua/, with the parts of lua/lib/ that its `-- uses:` line names."""

    def __init__(self, name: str, *, read_only: bool = False) -> None:
        self.name = name
        self.text = _source(name)
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        suffix = "_RO" if read_only else ""
        self._evalsha, self._eval = f"EVALSHA{suffix}", f"EVAL{suffix}"

    def __repr__(self) -> str:
        return f"Script({self.name})"

    def command(self, keys: Sequence[Argument], args: Sequence[Argument]) -> Command:
        """The call as EVALSHA, for whoever packs several commands into one write."""
        return (self._evalsha, self.sha, len(keys), *keys, *args)

    def command_with_text(self, keys: Sequence[Argument], args: Sequence[Argument]) -> Command:
        """The same call as EVAL: the answer to NOSCRIPT."""
        return (self._eval, self.text, len(keys), *keys, *args)

    async def run(self, client: Redis, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        """Run the script once. Raises what the server or the connection raised, NOSCRIPT apart."""
        try:
            return await call(client, self.command(keys, args))
        except NoScriptError:
            return await call(client, self.command_with_text(keys, args))
