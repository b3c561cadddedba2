"""The reference page tells every field of the resource."""

import re

from headrace_api import reference


def test_the_page_is_what_the_models_say() -> None:
    assert reference.PATH.read_text(encoding="utf-8") == reference.text()
    assert reference.main(["--check"]) == 0


def test_a_page_that_is_not_what_the_models_say_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(reference, "PATH", tmp_path / "docs" / "page.md")
    assert reference.main(["--check"]) == 1
    assert "run `make crd`" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_every_link_has_its_heading() -> None:
    page = reference.text()
    links = set(re.findall(r"\(#(\w+)\)", page))
    headings = {
        "".join(c for c in heading.lower() if c.isalnum())
        for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    assert links <= headings
    assert len(headings) > 20
