"""What a release writes is the same each time, and says what it is."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import yaml
from make import release_files

ROOT = Path(__file__).parents[3]
EPOCH = 1_700_000_000


def archive(files: list[tuple[str, bytes]], time: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname = len(content), time, "somebody"
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=time)


def test_a_package_is_the_same_whenever_and_by_whomever_it_was_made() -> None:
    files = [("headrace/Chart.yaml", b"name: headrace"), ("headrace/values.yaml", b"a: 1")]
    first = release_files.repacked(archive(files, 1), EPOCH)
    second = release_files.repacked(archive(files[::-1], 2_000_000_000), EPOCH)
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        read = {name: tar.extractfile(name).read() for name in tar.getnames()}
    assert read == dict(files)


def test_the_statement_names_every_file_by_its_digest_and_the_commit(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "a.whl").write_bytes(b"wheel")
    (tmp_path / "schemas/b.json").write_bytes(b"{}")
    digests = release_files.digests_of(tmp_path)
    assert digests["a.whl"] == hashlib.sha256(b"wheel").hexdigest()
    statement = release_files.provenance(digests, "0.1.0", "c0ffee", "builder", {"x.txt": "ab"})
    assert [one["name"] for one in statement["subject"]] == ["a.whl", "schemas/b.json"]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": "c0ffee"}
    assert statement["predicate"]["runDetails"] == {"builder": {"id": "builder"}}


def test_the_images_are_built_for_both_platforms_under_the_version() -> None:
    bake = release_files.bake_file("1.2.3", "c0ffee", EPOCH)
    for name, target in bake["target"].items():
        assert target["tags"] == [f"ghcr.io/headrace/{name}:1.2.3"]
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
        assert (ROOT / target["dockerfile"]).exists()


def test_the_charts_page_in_a_catalogue_names_every_definition() -> None:
    chart = yaml.safe_load((ROOT / "charts/headrace/Chart.yaml").read_text("utf-8"))
    named = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    there = {file.stem for file in (ROOT / "crds").glob("*.headrace.dev.yaml")}
    assert {one["name"] for one in named} == there
    for one in named:
        definition = yaml.safe_load((ROOT / f"crds/{one['name']}.yaml").read_text("utf-8"))
        assert one["kind"] == definition["spec"]["names"]["kind"]
        assert one["version"] in [version["name"] for version in definition["spec"]["versions"]]
