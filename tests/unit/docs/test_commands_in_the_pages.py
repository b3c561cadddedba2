"""Every command on every page exists, with its flags and its files."""

import re
from pathlib import Path

import pytest
from tests.unit.docs.commands import command_lines, problem, targets, unknown_mention
from tests.unit.docs.pages import PAGES, ROOT, Block, blocks, prose


def with_commands(page: Path) -> list[Block]:
    """Blocks of commands, and unnamed ones that show a prompt."""
    unnamed = [block for block in blocks(page, "") if block.text.startswith("$ ")]
    return [*blocks(page, "console", "shell", "bash"), *unnamed]


PAGES_WITH_COMMANDS = [page for page in PAGES if with_commands(page)]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=named)
def test_every_command_of_the_page_can_be_run(page: Path) -> None:
    wrong = [
        f"{block}: {found}"
        for block in with_commands(page)
        for words in command_lines(block)
        if (found := problem(words))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_target_that_a_sentence_names_exists(page: Path) -> None:
    named_targets = set(re.findall(r"`make ([a-z][a-z0-9-]*)", prose(page)))
    assert named_targets <= targets()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_sentence_names_exists(page: Path) -> None:
    mentions = re.findall(r"`((?:kubectl )?headrace [^`\n]+)`", prose(page))
    assert [wrong for text in mentions if (wrong := unknown_mention(text))] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("headrace dead list --group delays", None),
        ("headrace dead list | show | replay", None),
        ("headrace trim STREAM --max-length N [--dry-run]", None),
        ("kubectl headrace status | top", None),
        ("headrace dead lits", "no command lits"),
        ("headrace dead list | shwo", "no command shwo"),
        ("headrace backlog --wacht", "no option --wacht"),
        ("kubectl headrace tops", "no command tops"),
    ],
)
def test_a_mention_of_what_is_not_there_is_found(text: str, sentence: str | None) -> None:
    assert unknown_mention(text) == (f"{text}: {sentence}" if sentence else None)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("make tset", "make has no target tset"),
        ("headrace validate --strictly a.yaml", "No such option"),
        ("headrace dead burn", "No such command"),
        ("headrace send", "Missing argument"),
        ("kubectl appyl -f a.yaml", "no known verb"),
        ("kubectl apply -f examples/nowhere.yaml", "examples/nowhere.yaml does not exist"),
        ("kubectl exec deploy/a -- headrace dead lits", "No such command"),
        ("kubectl headrace state flights", "No such command"),
        ("kubectl headrace logs flights -n airport --folow", "No such option"),
        ("helm install a charts/headrace --set replica=3", "has no value replica=3"),
        (".venv/bin/pytest tests/unit/nowhere", "does not exist"),
        ("echo a | frobnicate", "no test knows this program"),
    ],
)
def test_what_does_not_exist_is_found(line: str, sentence: str) -> None:
    block = Block(ROOT / "README.md", 1, "console", line)
    found = [told for words in command_lines(block) if (told := problem(words))]
    assert sentence in "".join(found)
