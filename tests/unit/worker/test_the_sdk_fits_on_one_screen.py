"""The public names are few, and docs/handlers.md says what each of them is for."""

import re
from pathlib import Path

import pytest

import headrace
import headrace.testing
from headrace.context import BatchContext, Context

PAGE = Path("docs/handlers.md").read_text("utf-8")
SCREEN = 24


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def test_all_public_names_fit_on_one_screen() -> None:
    assert len(headrace.__all__) + len(headrace.testing.__all__) <= SCREEN
    assert public(headrace.App) == {
        *("on", "batch", "raw", "deserializer", "lifespan"),
        *("running", "handlers", "deserializers"),  # what worker and commands ask
    }


@pytest.mark.parametrize("name", [*headrace.__all__, *headrace.testing.__all__])
def test_the_page_tells_of_every_name(name: str) -> None:
    assert name in words(PAGE)


def test_the_page_s_table_is_the_context() -> None:
    section = PAGE.partition("## The context")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(\w+)", row)}
    assert named == public(Context)
    assert public(BatchContext) <= named
