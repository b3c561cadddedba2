"""What is made from the models is checked in, and up to date."""

from headrace_api import generated


def test_every_file_is_what_the_models_say() -> None:
    assert generated.outdated() == []
    assert generated.main(["--check"]) == 0


def test_a_file_that_is_not_is_told_and_written(tmp_path, monkeypatch, capsys) -> None:
    stale = tmp_path / "docs" / "page.md"
    monkeypatch.setattr(generated, "FILES", {stale: lambda: "new"})
    assert generated.main(["--check"]) == 1
    assert not stale.exists()
    stale.parent.mkdir()
    stale.write_text("old")
    assert generated.main(["--check"]) == 1
    assert "page.md is not what the models say; run `make crd`" in capsys.readouterr().err
    assert stale.read_text() == "old"
    assert generated.main([]) == 0
    assert generated.main(["--check"]) == 0
    assert stale.read_text() == "new"
