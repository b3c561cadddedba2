"""A worker's defects are told from the failures of its handlers."""

import json

import pytest
from tests.crash.worker_log import first_defect

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nNameError: no x'


def line(**said: str) -> str:
    return json.dumps(said) + "\n"


def test_a_handler_that_fails_is_none() -> None:
    said = line(level="warning", logger="headrace.worker", message="failed", exception=TRACEBACK)
    assert first_defect(said) is None


def test_a_part_of_the_worker_that_fails_is_one() -> None:
    said = line(level="critical", logger="headrace.worker", message="died", exception=TRACEBACK)
    defect = first_defect(line(level="info", message="begins") + said)
    assert (defect or "").startswith("died")
    assert (defect or "").endswith("NameError: no x")


def test_so_is_a_task_that_nobody_asked_for_its_end() -> None:
    said = line(level="error", logger="asyncio", message="never retrieved", exception=TRACEBACK)
    assert "never retrieved" in (first_defect(said) or "")


def test_and_what_ends_the_process_uncaught() -> None:
    said = line(level="info", message="begins") + TRACEBACK + "\n" + line(message="goes on")
    assert (first_defect(said) or "").endswith("NameError: no x")


@pytest.mark.parametrize(
    ("answer", "is_slip"),
    [
        ("Script attempted to access nonexistent global variable 'park'", True),
        ("user_script:12: attempt to index a nil value (local 'row')", True),
        ("user_script:12: attempt to perform arithmetic on a nil value", True),
        (
            "OOM command not allowed. script: ab, on @user_script:65.",
            False,
        ),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
    ],
)
def test_so_is_a_script_that_is_wrong(answer: str, is_slip: bool) -> None:
    said = line(level="warning", logger="headrace.worker", message=f"commit failed: {answer}")
    assert (first_defect(said) is not None) is is_slip
