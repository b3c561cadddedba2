"""The `headrace` command before it reaches Redis: how much it loads, what its help shows."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from headrace.cli import app
from headrace.cli.output import duration, plural, size, table

MODULES = "import sys, headrace.cli; print(*sys.modules)"
HEAVY = {"asyncio", "pydantic", "redis", "rich", "ssl", "yaml", "prometheus_client", "logging"}
MAX_MODULES = 200

LETTERS = [f"dead {name}" for name in ["list", "show", "replay", "purge", "export", "import"]]
COMMANDS = [
    *("peek", "tail", "check", "plan"),
    *("streams", "backlog", "pending", "send", "release", "validate"),
    *("worker", "reclaim", "trim"),
]


def headrace(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"}, prog_name="headrace")
    assert done.exit_code == 0, done.output
    return done.stdout


def test_starting_loads_little() -> None:
    """Modules are counted, not milliseconds: 1.1 s of start were 640 modules."""
    loaded = subprocess.run(
        [sys.executable, "-c", MODULES], check=True, capture_output=True, text=True
    ).stdout.split()
    assert HEAVY & set(loaded) == set()
    assert len(loaded) < MAX_MODULES


def test_the_help_groups_every_command() -> None:
    text = headrace("--help")
    for heading in ("Look at streams:", "Change streams:", "Manifests:", "What pods run:"):
        assert heading in text
    assert "Exit codes: 0 done; 1 failed; 2 refused" in text
    assert "--install-completion" in text
    for line in text.splitlines():
        assert len(line) <= 80
        assert line.startswith("Usage") or "..." not in line, "a summary is read whole"


@pytest.mark.parametrize("command", [*COMMANDS, *LETTERS])
def test_each_command_shows_an_example(command: str) -> None:
    assert f"Example: headrace {command}" in " ".join(headrace(*command.split(), "--help").split())


def test_a_table_is_aligned_and_only_its_last_column_is_cut() -> None:
    rows = [("9,430", "arr_delay: field required"), ("7", "a\x1b[31m red error that is long")]
    assert list(table(("COUNT", "ERROR"), rows, right="COUNT", width=24)) == [
        "COUNT  ERROR",
        "9,430  arr_delay: field…",
        "    7  a�[31m red error…",
    ]
    (_, _, whole) = table(("COUNT", "ERROR"), rows, width=None)
    assert whole.endswith("that is long")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4s"), (37, "37s"), (600, "10m"), (18000, "5h"), (259200, "3d")]
)
def test_durations_fit_a_column(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_carry_their_words() -> None:
    assert [plural(1, "event"), plural(2500, "event")] == ["1 event", "2,500 events"]
    assert [size(312), size(4_404_019), size(3 << 30)] == ["312 B", "4.2 MiB", "3.0 GiB"]
