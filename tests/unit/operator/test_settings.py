"""The operator's flags: what they are called, what they say, and what becomes of them."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from headrace_operator.plan.worker_defaults import WorkerDefaults
from headrace_operator.settings import OperatorSettings, parse, parser

HELP = Path(__file__).parent / "golden" / "flags.txt"
VARIABLES = {
    "HEADRACE_WORKER_IMAGE": "own:2",
    "HEADRACE_WORKER_DEFAULTS": '{"priorityClassName": "batch"}',
    "KUBECONFIG": "/from/environment",
    "HEADRACE_NAMESPACE": "streams",
    "HEADRACE_LOG_LEVEL": "warning",
    "HEADRACE_LOG_FORMAT": "plain",
    "HEADRACE_POD": "operator-0",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_help_is_as_people_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its options on: how the usage is wrapped differs between versions of Python."""
    monkeypatch.setenv("HEADRACE_WORKER_IMAGE", "worker:1")
    text = parser().format_help()
    assert text[text.index("options:") :] == HELP.read_text(encoding="utf-8")


def test_without_flags_all_is_as_the_settings_have_it() -> None:
    chosen, defaults = parse([]), OperatorSettings()
    names = {one.name for one in fields(OperatorSettings)} - {"identity"}
    assert {name: getattr(chosen, name) for name in names} == {
        name: getattr(defaults, name) for name in names
    }
    assert chosen.identity != parse([]).identity, "a restarted container must not inherit the Lease"


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--worker-image=own:1"], "worker_image", "own:1"),
        (
            ['--worker-defaults={"priorityClassName": "batch"}'],
            "worker_defaults",
            WorkerDefaults(pod={"priorityClassName": "batch"}),
        ),
        (["--namespace=a", "--namespace=b"], "namespaces", ("a", "b")),
        (["--allowed-redis-host=*.svc"], "allowed_redis_hosts", ("*.svc",)),
        (["--kubeconfig=/a/file"], "kubeconfig", Path("/a/file")),
        (["--http-port=80"], "http_port", 80),
        (["--full-look=2"], "full_look", 2.0),
        (["--lease-duration=30"], "lease_duration", 30.0),
        (["--log-level=debug"], "log_level", "DEBUG"),
    ],
)
def test_a_flag_sets_its_setting(arguments: list[str], name: str, value: Any) -> None:
    assert getattr(parse(arguments), name) == value


def test_the_environment_is_asked_where_no_flag_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    chosen = parse([])
    assert chosen.worker_image == "own:2"
    assert chosen.worker_defaults.pod == {"priorityClassName": "batch"}
    assert chosen.kubeconfig == Path("/from/environment")
    assert chosen.lease_namespace == "streams"
    assert (chosen.log_level, chosen.log_format) == ("WARNING", "plain")
    assert chosen.identity.startswith("operator-0_")
    assert parse(["--worker-image=own:1"]).worker_image == "own:1"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--lease-duration=1", "the lease needs retry period < renew deadline < lease duration"),
        ("--worker-defaults=[", "worker defaults: write a JSON object"),
        ("--http-port=http", "argument --http-port: invalid int value: 'http'"),
    ],
)
def test_a_wrong_flag_ends_in_one_sentence(
    argument: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([argument])
    assert capsys.readouterr().err.splitlines()[-1] == f"headrace-operator: error: {message}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a kubeconfig with --kubeconfig or KUBECONFIG"),
        (["--kubeconfig", "/none.yaml"], "cannot use the kubeconfig /none.yaml"),
    ],
)
def test_outside_of_a_cluster_one_sentence_says_what_to_give(
    arguments: list[str], said: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    done = subprocess.run(
        [sys.executable, "-c", "from headrace_operator.main import main; main()", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={name: value for name, value in kept.items() if not name.startswith("KUBERNETES")},
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert said in done.stderr
