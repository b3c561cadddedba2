"""Delivery as the manifest says it, and files as `headrace validate` reads them."""

from pathlib import Path

import pytest

import headrace
from headrace.testing import Harness

PIPELINE = """
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: flights}
spec:
  redis: {endpoints: ["redis:6379"]}
  stream: {name: flights}
  groups:
  - name: delays
    worker: {handler: "handlers:app"}
"""


def counting() -> tuple[headrace.App, list[int]]:
    app, calls = headrace.App(), []

    @app.on("order")
    async def order(event: int) -> None:
        calls.append(event)
        if event < 0:
            raise headrace.Reject("negative")

    return app, calls


def order(n: int, id: str | None) -> headrace.Event:
    return headrace.Event("order", n, id=id)


async def test_an_event_that_was_handled_within_the_window_is_a_duplicate() -> None:
    app, calls = counting()
    async with Harness(app, delivery={"deduplicate": {"window": "1h"}}) as harness:
        first, second = await harness.feed_many([order(1, "x"), order(2, "x")])
        assert (first.outcome, second.outcome, second.settled) == ("done", "duplicate", True)
        assert (await harness.feed(order(3, "x"))).outcome == "duplicate"
        await harness.advance(3600)
        assert (await harness.feed(order(4, "x"))).outcome == "done"
        assert (await harness.feed(order(5, None))).outcome == "done"
        assert (await harness.feed(order(6, "y"))).outcome == "done"
    assert calls == [1, 4, 5, 6]


async def test_what_was_not_handled_well_makes_no_duplicate() -> None:
    app, calls = counting()
    async with Harness(app, delivery={"deduplicate": {"window": "1h"}}) as harness:
        first, second = await harness.feed_many([order(-1, "x"), order(2, "x")])
        assert (first.outcome, second.outcome) == ("dead_lettered", "done")
        harness.crash_before_commit()
        crashed = await harness.feed(order(7, "z"))
        await harness.finish()
        assert [one.outcome for one in crashed.attempts] == ["crashed", "done"]
    assert calls == [-1, 2, 7, 7]


async def test_documents_of_other_kinds_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---{PIPELINE}")
    app, calls = counting()
    async with Harness.from_manifest(file, app, group="delays") as harness:
        await harness.feed(order(1, None))
    assert calls == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap\n", "holds no StreamPipeline"),
        ("a: [", "is no YAML at line"),
        (PIPELINE.replace("handler", "handlr"), "handlr: unknown field; did you mean handler?"),
        (PIPELINE.replace("delays", "other"), "has no group 'delays'; it has other"),
    ],
)
def test_a_wrong_file_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"pipeline\.yaml") as error:
        Harness.from_manifest(file, counting()[0], group="delays")
    assert said in str(error.value)
    with pytest.raises(ValueError, match=r"cannot read .*: No such file"):
        Harness.from_manifest(tmp_path / "none.yaml", counting()[0], group="delays")


def test_a_wrong_delivery_is_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"delivery is wrong at maxRetry: Extra inputs"):
        Harness(counting()[0], delivery={"maxRetry": 1})
