"""docs/architecture.md names every room, so that a new one does not go unexplained."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
ROOMS = sorted(
    path.parent.name
    for package in ("worker_image/headrace/worker", "operator/headrace_operator")
    for path in (ROOT / package).glob("*/__init__.py")
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_line(room: str) -> None:
    assert f"/{room}`" in PAGE or f"`{room}`" in PAGE


def test_every_script_library_is_found_by_its_line() -> None:
    lua = ROOT / "worker_image/headrace/streams/lua"
    used = {
        name
        for script in lua.rglob("*.lua")
        for line in script.read_text("utf-8").splitlines()
        if line.startswith("-- uses: ")
        for name in line.removeprefix("-- uses: ").split(", ")
    }
    assert used == {path.stem for path in (lua / "lib").glob("*.lua")}, "no part lies unused"
