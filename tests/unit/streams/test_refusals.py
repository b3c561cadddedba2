"""What the server's refusals are told as."""

import pytest
from redis.exceptions import AuthenticationError, ResponseError

from headrace.streams.refusals import describe, hint


def test_the_place_in_a_script_is_left_out() -> None:
    text = f"NOPERM No permissions script: {'d' * 40}, on @user_script:113."
    assert describe(ResponseError(text)) == "NOPERM No permissions"


def test_the_code_that_the_client_cuts_off_is_put_back() -> None:
    error = AuthenticationError("invalid username-password pair", status_code="WRONGPASS")
    assert describe(error) == "WRONGPASS invalid username-password pair"


def test_an_error_without_words_is_named() -> None:
    assert describe(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("NOAUTH Authentication required.", "set spec.redis.credentialsSecretRef"),
        ("ERR unknown command 'EVALSHA_RO'", "Redis 7.0, Valkey 8 or newer"),
        ("MOVED 866 10.0.0.7:6379", "redis.mode Cluster follows"),
        ("WRONGTYPE Operation against a key", "one of headrace:{...} beside it"),
        ("ERR DB index is out of range", "correct spec.redis.database"),
    ],
)
def test_what_is_known_of_a_refusal_comes_with_what_to_do(text: str, advice: str) -> None:
    assert advice in (hint(text) or "")


def test_of_other_refusals_nothing_is_made_up() -> None:
    assert hint("ERR value is not an integer") is None
