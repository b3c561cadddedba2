"""The reference page tells every field of the resource."""

import re

from headrace_api import reference


def test_every_link_has_its_heading() -> None:
    page = reference.text()
    links = set(re.findall(r"\(#(\w+)\)", page))
    headings = {
        "".join(c for c in heading.lower() if c.isalnum())
        for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    assert links <= headings
    assert len(headings) > 20
