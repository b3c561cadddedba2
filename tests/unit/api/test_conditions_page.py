"""docs/reference/conditions.md knows every condition and every reason, and no others."""

import re
from pathlib import Path

from headrace_api.v1alpha1 import ConditionType, Reason

PAGE = Path("docs/reference/conditions.md")


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of a table's rows, by the word in their first cell."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, after = text.partition("\n## Reasons\n")
    table = before if heading == "Type" else after
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", table, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in found}


def test_every_reason_has_its_line_with_what_to_do() -> None:
    found = rows("Reason")
    assert set(found) == {str(reason) for reason in Reason}
    assert all(len(cells) == 2 and all(cells) for cells in found.values())


def test_every_type_has_its_line() -> None:
    found = rows("Type")
    assert set(found) == {str(kind) for kind in ConditionType}
    assert all(len(cells) == 1 and all(cells) for cells in found.values())
