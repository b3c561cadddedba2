"""The Redis users that docs/redis-user.md asks for, with their rights and no others."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "redis-user.md"


def worker_rights(*keys: str) -> list[str]:
    """ACL rules of the user of workers, operator and commands, for keys (patterns)."""
    return _rights(0, keys)


def producer_rights(*keys: str) -> list[str]:
    """ACL rules of a producer's user."""
    return _rights(1, keys)


def _rights(block: int, keys: tuple[str, ...]) -> list[str]:
    documented = PAGE.read_text("utf-8").split("```")[1::2][block]
    commands = [word for word in documented.split() if word.startswith("+")]
    return ["resetkeys", "resetchannels", "-@all", *(f"~{key}" for key in keys), *commands]
