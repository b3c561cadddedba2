"""A trim Job has no right to the API server; what it did reaches the status all the same."""

from tests.support.pipeline_namespace import PIPELINE, Airport, group, pipeline
from tests.support.waiting import until


def test_what_a_trim_removed_is_in_the_status(airport: Airport) -> None:
    airport.apply_handlers("import headrace\naudit = headrace.App()\n")
    trim = {"maxLength": 10, "schedule": "0 0 1 1 *"}
    idle = group("audit", scaling={"mode": "Fixed", "replicas": 0})
    airport.apply(pipeline(idle, stream={"name": PIPELINE, "trim": trim}))
    until("Ready", lambda: airport.condition().get("status") == "True", within=60)
    airport.send([{"n": n} for n in range(1000)])
    airport.redis.xgroup_setid(PIPELINE, "audit", "$")
    airport.kubectl("create", "job", "trim-now", f"--from=cronjob/{PIPELINE}-trim")

    def told() -> dict:
        return airport.kubectl.get("streampipeline", PIPELINE)["status"].get("trim", {})

    found = until("the trim in the status", told, within=60)
    assert (found["removed"], found["length"]) == (990, 10)
    assert found["freedBytes"] > 0
