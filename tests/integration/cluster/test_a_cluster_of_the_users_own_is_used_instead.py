"""HEADRACE_KUBECONFIG replaces the local cluster: it is checked, and nothing is booted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster import instances
from tests.cluster.__main__ import main
from tests.support.control_plane import ControlPlane


def test_up_only_checks_that_it_answers(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADRACE_KUBECONFIG", str(control_plane.kubeconfig))
    assert main(["up", "--name", "not-booted"]) == 0
    assert "answers" in capsys.readouterr().out
    assert instances.find("not-booted") is None


def test_one_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "kubeconfig"
    monkeypatch.setenv("HEADRACE_KUBECONFIG", str(absent))
    assert main(["up"]) == 1
    assert str(absent) in capsys.readouterr().err


def test_images_for_an_unknown_kind_of_cluster_go_through_a_registry(
    control_plane: ControlPlane,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / "image.tar"
    archive.touch()
    monkeypatch.setenv("HEADRACE_KUBECONFIG", str(control_plane.kubeconfig))
    assert main(["load", str(archive)]) == 1
    assert "registry" in capsys.readouterr().err
