"""Every StreamPipeline on every page is one that `headrace validate` takes."""

from pathlib import Path

import pytest
import yaml
from tests.unit.docs.pages import PAGES, ROOT, Block, blocks

from headrace_api import KIND
from headrace_api.validation import Severity, problems

MANIFESTS = [
    pytest.param(block, document, id=str(block))
    for page in PAGES
    for block in blocks(page, "yaml")
    for document in yaml.safe_load_all(block.text)
    if isinstance(document, dict) and document.get("kind") == KIND and "spec" in document
]


@pytest.mark.parametrize(("block", "document"), MANIFESTS)
def test_the_manifest_is_valid(block: Block, document: dict[str, object]) -> None:
    errors = [one for one in problems(document) if one.severity is Severity.ERROR]
    assert not errors, f"{block}: {errors}"


def test_a_block_is_yaml() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in blocks(Path(page), "yaml"):
            list(yaml.safe_load_all(block.text))
