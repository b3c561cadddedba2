"""The Python of each tutorial, from top to bottom, and the tests that stand on it."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.docs.pages import ROOT, blocks

TUTORIALS = [
    page for page in sorted((ROOT / "docs/tutorials").glob("*.md")) if any(blocks(page, "python"))
]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
async def test_the_pages_own_tests_pass(page: Path) -> None:
    names: dict[str, Any] = {"__name__": "handlers"}
    for block in blocks(page, "python"):
        exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        await test()
