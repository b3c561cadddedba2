"""The server's own error code and a hint stand in the one line that people see."""

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import RedisError

from headrace.worker.outage import sentence


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"NOPERM No permissions to access a key", "NOPERM No permissions to access a key (grant"),
        (b"OOM command not allowed when used memory", "OOM command not allowed"),
        (b"READONLY You can't write against a replica", "READONLY You can't write"),
        (b"MISCONF Redis is configured to save", "MISCONF Redis is configured to save (Redis"),
        (b"WRONGTYPE Operation against a key", "WRONGTYPE Operation against a key"),
    ],
)
def test_what_the_server_answered_begins_with_its_code(answer: bytes, line: str) -> None:
    assert sentence(BaseParser.parse_error(answer.decode())).startswith(line)


def test_an_error_without_text_is_named() -> None:
    assert sentence(RedisError()) == "RedisError"
