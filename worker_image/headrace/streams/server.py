"""Which server answers: Redis or Valkey, its version, and what follows from it. Pure."""

from dataclasses import dataclass

from headrace.streams.durability import info_of

_FLOORS = {"redis": (7, 0), "valkey": (8, 0)}


@dataclass(frozen=True, slots=True)
class Server:
    """`name` is "redis" or "valkey"; `version` its own version, not the one it pretends to be."""

    name: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"

    @property
    def is_supported(self) -> bool:
        return self.version >= _FLOORS[self.name]

    @property
    def too_old(self) -> str:
        """What to say of a server that is not supported."""
        return f"{self} is too old: use Redis 7.0 or newer, or Valkey 8 or newer"

    @property
    def lag_is_exact(self) -> bool:
        """Whether an integer lag in XINFO GROUPS can be believed.

        Older servers count entries trimmed past the group as unread (redis#13473), which Redis
        7.2.7, 7.4.2 and 8.0 and Valkey 8.0.3, 8.1.1 and 9.0 fixed.
        """
        if self.name == "valkey":
            return self.version >= (8, 1, 1) or (8, 0, 3) <= self.version < (8, 1)
        return self.version >= (7, 4, 2) or (7, 2, 7) <= self.version < (7, 4)


def parse_info(text: str) -> Server:
    """Read the section `server` of INFO."""
    info = info_of(text)
    name = "valkey" if info.get("server_name") == "valkey" else "redis"
    text = info[f"{name}_version"]
    return Server(name, tuple(int(part) for part in text.split(".") if part.isdecimal()))
