"""A machine that cannot run the cluster is told what it lacks."""

from __future__ import annotations

import pytest
from tests.cluster import requirements

BOTH = {"go", "openssl"}


@pytest.mark.parametrize(
    ("platform", "root", "commands", "word"),
    [
        ("darwin", True, BOTH, "Linux"),
        ("linux", False, BOTH, "sudo"),
        ("linux", True, {"openssl"}, "go.dev"),
        ("linux", True, {"go"}, "openssl"),
    ],
)
def test_each_lack_has_its_sentence(
    platform: str, root: bool, commands: set[str], word: str
) -> None:
    sentence = requirements.missing(platform=platform, root=root, commands=commands)
    assert sentence
    assert word in sentence


def test_a_machine_that_has_everything_hears_nothing() -> None:
    assert requirements.missing(platform="linux", root=True, commands=BOTH) is None


def test_every_lack_names_the_way_around_it() -> None:
    assert "HEADRACE_KUBECONFIG" in requirements.INSTEAD
