"""Which server answers: Redis or Valkey, its version, and what follows from it. Pure."""

from dataclasses import dataclass

from headrace.streams.info import Info

FEATURES: dict[str, dict[str, tuple[int, ...]]] = {
    "XACKDEL": {"redis": (8, 2, 3), "valkey": (9, 2)},
    "XTRIM ACKED": {"redis": (8, 2)},
    "XREADGROUP CLAIM": {"redis": (8, 4)},
    "XADD IDMP": {"redis": (8, 6)},
    "XNACK": {"redis": (8, 8)},
}
"""From which version on a server has what. XACKDEL of Redis 8.2.0 to 8.2.2 may crash the server
(CVE-2025-62507), so it counts from 8.2.3. None of them is used yet."""
_FLOORS = {"redis": (7, 0), "valkey": (8, 0)}
FLOOR_ADVICE = "use Redis 7.0 or newer, or Valkey 8 or newer"


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
        return f"{self} is too old: {FLOOR_ADVICE}"

    @property
    def features(self) -> tuple[str, ...]:
        """Names of `FEATURES` that this version has."""
        since = ((name, versions.get(self.name)) for name, versions in FEATURES.items())
        return tuple(name for name, first in since if first is not None and self.version >= first)

    def as_data(self) -> dict[str, object]:
        """For `-o json`."""
        version = ".".join(map(str, self.version))
        return {"name": self.name, "version": version, "features": list(self.features)}

    @property
    def lag_is_exact(self) -> bool:
        """Whether an integer lag in XINFO GROUPS can be believed.

        Older servers count entries trimmed past the group as unread (redis#13473), which Redis
        7.2.7, 7.4.2 and 8.0 and Valkey 8.0.3, 8.1.1 and 9.0 fixed.
        """
        if self.name == "valkey":
            return self.version >= (8, 1, 1) or (8, 0, 3) <= self.version < (8, 1)
        return self.version >= (7, 4, 2) or (7, 2, 7) <= self.version < (7, 4)


def server_of(info: Info) -> Server:
    """Read the section `server` of INFO. Raises KeyError where it names no version."""
    name = "valkey" if info.get("server_name") == "valkey" else "redis"
    parts = info[f"{name}_version"].split(".")
    return Server(name, tuple(int(part) for part in parts if part.isdecimal()))
