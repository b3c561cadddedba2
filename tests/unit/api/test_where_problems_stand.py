"""A problem is told with its line: of the key, or of the nearest that is there."""

from pathlib import Path

import pytest

from headrace_api.manifest_file import Document, UnusableFile, documents_below, documents_in

FLIGHTS = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata:
  name: flights
spec:
  redis: {endpoints: [redis:6379]}
  stream:
    name: flights
  groups:
  - name: delays
    worker:
      handler: a:b
      podTemplate:
        metadata:
          labels:
            app.kubernetes.io/part-of: x
            app: y
"""
LIST = """\
apiVersion: v1
kind: List
items:
- kind: ConfigMap
- apiVersion: headrace.dev/v1alpha1
  kind: StreamPipeline
  metadata: {name: second}
"""
OTHER = "kind: ConfigMap\ndata: {name: StreamPipeline}\n"


def read(text: str) -> list[Document]:
    return documents_in(Path("a.yaml"), text)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("kind", 2),
        ("metadata.name", 4),
        ("spec.redis.endpoints[0]", 6),
        ("spec.stream", 7),
        ("spec.stream.trim.schedule", 7),
        ("spec.groups[0]", 10),
        ("spec.groups[0].worker.handler", 12),
        ("spec.groups[0].worker.podTemplate.metadata.labels.app.kubernetes.io/part-of", 16),
        ("spec.groups[0].worker.podTemplate.metadata.labels.app", 17),
        ("spec.groups[7].name", 9),
        ("spec.groups[x]", 9),
        ("nothing", 1),
        ("", 1),
    ],
)
def test_the_line_of_a_path(path: str, line: int) -> None:
    (document,) = read(FLIGHTS)
    assert document.line(path) == line


def test_a_second_document_counts_from_the_top_of_the_file() -> None:
    (document,) = read(f"{OTHER}---\n{FLIGHTS}")
    assert document.line("kind") == 5


def test_the_items_of_a_list_are_read() -> None:
    (document,) = read(LIST)
    assert document.manifest["metadata"]["name"] == "second"
    assert document.line("metadata.name") == 7


@pytest.mark.parametrize(
    "head",
    [
        "kind: StreamPipelin",
        "kind: streampipeline",
        "kind: StreamPipelines",
        "apiVersion: headrace.dev/v1beta1\nkind: Pipeline",
        "apiVersion: headrace.dev/v1alpha1",
    ],
)
def test_what_misses_the_kind_by_little_is_not_passed_over(head: str) -> None:
    assert len(read(f"{head}\nmetadata: {{name: a}}\n")) == 1


@pytest.mark.parametrize("kind", ["ConfigMap", "Stream", "Pipeline", "List", "7", "[a]", "null"])
def test_other_kinds_are(kind: str) -> None:
    assert read(f"kind: {kind}\n") == []


def test_a_key_that_stands_twice_is_found() -> None:
    (document,) = read(FLIGHTS.replace("    name: flights\n", "    name: a\n    name: b\n"))
    (repeated,) = document.repeated
    assert (repeated.path, repeated.first_line, repeated.line) == ("spec.stream.name", 8, 9)


def test_a_merged_key_does_not_stand_twice() -> None:
    merged = "kind: StreamPipeline\na: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n"
    (document,) = read(merged)
    assert document.repeated == []
    assert document.manifest["b"] == {"x": 3, "y": 2}


def test_a_repeated_key_of_a_list_is_told_from_its_item_on() -> None:
    (document,) = read(LIST + "  kind: StreamPipeline\n")
    assert [one.path for one in document.repeated] == ["kind"]


def test_an_alias_of_what_holds_it_ends() -> None:
    (document,) = read("kind: StreamPipeline\nspec: &a {groups: [*a]}\n")
    assert document.repeated == []


def test_a_directory_is_read_but_for_what_is_hidden_or_of_another_kind(tmp_path: Path) -> None:
    for name, text in {
        "apps/flights.yaml": FLIGHTS,
        "apps/broken.yml": "kind: StreamPipeline\n\tspec: {",
        "apps/service.yaml": "kind: Service\n",
        "chart/templates/service.yaml": "kind: {{ .Values.kind }}\n",
        ".git/flights.yaml": FLIGHTS,
        "notes.txt": FLIGHTS,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = dict(documents_below(tmp_path))
    assert {path.name for path in found} == {"flights.yaml", "broken.yml"}
    broken = found[tmp_path / "apps/broken.yml"]
    assert isinstance(broken, UnusableFile)
    assert broken.line == 2
