"""The rights in docs/redis-user.md are those that our code uses, and no others."""

import re
from pathlib import Path

from tests.support.documented_users import worker_rights

import headrace
from headrace.streams.keys import StreamKeys
from headrace.streams.rights import rights_of

PACKAGE = Path(headrace.__file__).parent
IN_LUA = re.compile(r"call\('([A-Z]+)'")
IN_QUOTES = re.compile(r"[\"']([A-Z]+)[\"']")
OF_CONNECTIONS = {"hello", "auth", "ping", "select"}
OF_SCRIPTS = {"eval", "evalsha", "eval_ro", "evalsha_ro"}


def found(pattern: re.Pattern[str], *kinds: str) -> set[str]:
    files = [file for kind in kinds for file in PACKAGE.rglob(f"*.{kind}")]
    return {word.lower() for file in files for word in pattern.findall(file.read_text("utf-8"))}


def documented() -> set[str]:
    words = [word[1:] for word in worker_rights() if word.startswith("+")]
    return {word.partition("|")[0] for word in words}


def test_every_command_of_our_scripts_is_among_them() -> None:
    assert found(IN_LUA, "lua") | OF_SCRIPTS <= documented()


def test_no_command_that_nobody_uses_is() -> None:
    assert documented() <= found(IN_QUOTES, "lua", "py") | OF_SCRIPTS | OF_CONNECTIONS


def test_what_check_asks_for_is_what_the_page_lists() -> None:
    rights = rights_of(StreamKeys("flights").for_group("delays"))
    assert {one.name for one in rights} == {w[1:] for w in worker_rights() if w.startswith("+")}
