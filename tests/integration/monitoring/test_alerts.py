"""The alerts: valid, each fires on what it is for, each has its page, each metric exists."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.integration.chart.test_chart import helm, objects  # noqa: F401 - a fixture
from tests.support import yaml_text
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[3]
RULES = ROOT / "charts/headrace/files/alerts.yaml"
CASES = Path(__file__).parent / "alerts_test.yaml"
ALERTS: list[dict[str, Any]] = yaml_text.load(RULES.read_text())["groups"][0]["rules"]
NAMES = [alert["alert"] for alert in ALERTS]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    shutil.copy(RULES, tmp_path / "alerts.yaml")
    shutil.copy(CASES, tmp_path / CASES.name)
    return tmp_path


def test_prometheus_takes_the_rules(directory: Path) -> None:
    done = promtool("check", "rules", "alerts.yaml", directory=directory)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_on_what_it_is_for_and_not_before(directory: Path) -> None:
    done = promtool("test", "rules", CASES.name, directory=directory)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cases_notice_a_changed_threshold(directory: Path) -> None:
    rules = directory / "alerts.yaml"
    rules.write_text(rules.read_text().replace("> 10000", ">= 10000"))
    assert promtool("test", "rules", CASES.name, directory=directory).returncode != 0


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_a_case(name: str) -> None:
    assert name in CASES.read_text()


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_alert_has_severity_texts_and_a_page(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    texts = alert["annotations"]
    assert texts.keys() == {"summary", "description", "runbook_url"}
    page = ROOT / "docs" / "runbooks" / texts["runbook_url"].rpartition("/")[2]
    assert page.read_text().startswith(f"# {alert['alert']}\n")


def test_no_page_is_without_its_alert_and_all_are_listed() -> None:
    pages = {path.stem for path in (ROOT / "docs/runbooks").iterdir()}
    assert pages == set(NAMES)
    listed = (ROOT / "docs/alerts.md").read_text()
    for name in NAMES:
        assert f"[{name}](runbooks/{name}.md)" in listed


def test_every_metric_that_an_alert_asks_for_is_documented() -> None:
    reference = "".join(path.read_text() for path in (ROOT / "docs/reference").glob("*metrics.md"))
    for alert in ALERTS:
        for metric in re.findall(r"headrace_\w+", alert["expr"]):
            assert f"`{metric.removesuffix('_bucket')}`" in reference


def test_the_chart_makes_them_and_leaves_out_what_is_disabled(helm: str) -> None:  # noqa: F811
    switch = ["--set", "metrics.prometheusRule.enabled=true"]
    made = objects(helm, *switch)["PrometheusRule", "headrace"]["spec"]["groups"][0]["rules"]
    assert made == ALERTS
    without = ["--set", "metrics.prometheusRule.disabled={HeadraceNoLeader}"]
    fewer = objects(helm, *switch, *without)["PrometheusRule", "headrace"]["spec"]
    names = [rule["alert"] for rule in fewer["groups"][0]["rules"]]
    assert names == [name for name in NAMES if name != "HeadraceNoLeader"]
