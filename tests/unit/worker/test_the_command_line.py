"""The `headrace` command before it reaches Redis: how much it loads, what its help shows."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from headrace.cli import app, redis_options
from headrace.cli.output import duration, plural, size, table
from headrace.worker import process
from headrace.worker.errors import ConfigError

MODULES = "import sys, headrace.cli; print(*sys.modules)"
HEAVY = {"asyncio", "pydantic", "redis", "rich", "ssl", "yaml", "prometheus_client", "logging"}
MAX_MODULES = 200

MODULES_AFTER = """
import sys
from headrace.cli import app
try:
    app([*sys.argv[1:], "--url", "redis://127.0.0.1:1/0"])
finally:
    print("loaded:", *sys.modules)
"""
NOT_FOR_A_URL = {"headrace_api.v1alpha1", "headrace_api.worker_config", "headrace.worker.config"}
"""The resource's models take as long to load as all else that a command needs."""
NOT_FOR_A_URL |= {"headrace.handler", "rich", "yaml", "prometheus_client"}
MAX_MODULES_WITH_REDIS = 520
REACH_REDIS = [
    *("streams", "backlog s", "pending s", "peek s", "tail s", "check", "plan s --retention 1h"),
    *("send s --type t", "trim s --max-length 1 --yes", "release s g --yes"),
    *("dead list --stream s", "dead show 1-0 --stream s", "dead replay 1-0 --stream s"),
]

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


@pytest.fixture
def paused() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("paused")
def test_a_command_collects_its_garbage_once_it_runs() -> None:
    async def work() -> None:
        assert gc.isenabled()

    redis_options.run(work())


@pytest.mark.usefixtures("paused")
def test_a_worker_does_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: object) -> None:
        raise ConfigError(f"enabled: {gc.isenabled()}")

    told: list[str] = []
    monkeypatch.setattr(process, "load_config", look)
    monkeypatch.setattr(process, "refuse", told.append)
    process.run_worker(0)
    assert told == ["enabled: True"]


@pytest.mark.parametrize("line", REACH_REDIS)
def test_a_command_that_reaches_redis_loads_no_models_of_the_resource(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES_AFTER, *line.split()],
        input='{"a": 1}',
        check=False,
        capture_output=True,
        text=True,
    )
    assert "nothing listens at 127.0.0.1:1" in done.stdout + done.stderr, "as far as Redis"
    *_, (_, *loaded) = [out.split() for out in done.stdout.splitlines() if "loaded:" in out]
    assert set(loaded) & NOT_FOR_A_URL == set()
    assert len(loaded) < MAX_MODULES_WITH_REDIS


def test_the_help_groups_every_command() -> None:
    text = headrace("--help")
    for heading in ("Look at streams:", "Change streams:", "Manifests:", "What pods run:"):
        assert heading in text
    assert "Exit codes: 0 done; 1 failed; 2 refused" in text
    assert "--install-completion" in text
    for line in (text + headrace("dead", "--help")).splitlines():
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
