"""`headrace plan`: what a rate, a payload and a time come to."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli import app
from headrace.cli.planning import MEASURED, bytes_of, entry_bytes, plan, rate_of

PAGE = (Path(__file__).parents[3] / "docs" / "operate" / "sizing.md").read_text("utf-8")


def test_entries_memory_and_trim_follow() -> None:
    made = plan(rate_of("500/s"), entry_bytes(bytes_of("1KiB")), 86_400)
    assert (made.entries, made.max_length) == (43_200_000, 43_200_000)
    assert made.memory == (43_200_000 + 500 * 3_600) * 1_204
    assert made.maxmemory == round(made.memory / 0.75)
    assert made.schedule == "0 * * * *"


@pytest.mark.parametrize(
    ("seconds", "schedule"),
    [(86_400, "0 * * * *"), (18_000, "*/15 * * * *"), (3_600, "* * * * *"), (60, "* * * * *")],
)
def test_a_stream_grows_little_between_two_trims(seconds: float, schedule: str) -> None:
    assert plan(10, 100, seconds).schedule == schedule


@pytest.mark.parametrize(
    ("text", "rate"), [("500/s", 500), ("30000/m", 500), ("0.5/h", 0.5 / 3600), ("864/d", 0.01)]
)
def test_rates(text: str, rate: float) -> None:
    assert rate_of(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("text", "count"), [("300", 300), ("300B", 300), ("1KiB", 1024), ("1.5 MB", 1_500_000)]
)
def test_sizes(text: str, count: int) -> None:
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["", "500", "x/s", "0/s", "-1/s", "5/w", "1e3/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate; write 500/s"):
        rate_of(text)


@pytest.mark.parametrize("text", ["", "KiB", "-1", "1GB ", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write 300B"):
        bytes_of(text)


def test_costs_are_those_of_the_table_and_grow_with_the_payload() -> None:
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \|", PAGE, re.MULTILINE)
    told = tuple(tuple(int(cell.replace(",", "")) for cell in row) for row in rows)
    assert told == MEASURED
    assert entry_bytes(0) == 45
    assert entry_bytes(384) == pytest.approx((295 + 590) / 2)
    assert entry_bytes(32_768) == pytest.approx(2 * 19_602)
    costs = [entry_bytes(payload) for payload in range(0, 70_000, 97)]
    assert costs == sorted(costs)


def test_the_page_shows_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_REDIS_URL", raising=False)
    arguments = ["plan", "--rate", "500/s", "--payload", "1KiB", "--retention", "24h"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert f"```text\n{done.output}```" in PAGE
