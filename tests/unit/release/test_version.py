"""One command bumps the version, and a check notices a place that was forgotten."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import headrace

ROOT = Path(__file__).parents[3]


@pytest.fixture
def version() -> ModuleType:
    spec = importlib.util.spec_from_file_location("version", ROOT / "make" / "version.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(version: ModuleType, tmp_path: Path) -> Path:
    for file, _ in version.PLACES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def test_all_places_agree(version: ModuleType) -> None:
    assert list(version.differing(ROOT)) == []
    assert version.found(ROOT, *version.TRUTH) == headrace.__version__


def test_a_bump_changes_every_place(version: ModuleType, checkout: Path) -> None:
    assert version.main(["7.8.9rc1"], checkout) == 0
    assert {version.found(checkout, *place) for place in version.PLACES} == {"7.8.9rc1"}


def test_a_forgotten_place_is_named(
    version: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = checkout / "charts/headrace/Chart.yaml"
    chart.write_text(chart.read_text().replace(headrace.__version__, "9.9.9", 1))
    assert version.main([], checkout) == 1
    assert "Chart.yaml: version: 9.9.9, but the version is" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["1.2", "v1.2.3", "1.2.3-beta", ""])
def test_what_is_no_version_is_refused(version: ModuleType, checkout: Path, wrong: str) -> None:
    with pytest.raises(SystemExit, match="is no version"):
        version.main([wrong], checkout)
