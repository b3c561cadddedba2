"""What a user gets wrong shows in a condition whose message names it."""

from __future__ import annotations

import pytest
from tests.support.pipeline_namespace import Airport, group, pipeline
from tests.support.waiting import until

HANDLERS = "import headrace\napp = headrace.App()\n@app.on('x')\nasync def x(e: dict): ...\n"
FIXED = {"mode": "Fixed", "replicas": 1}


@pytest.mark.timeout(150)
def test_a_missing_image_is_named_in_a_condition(airport: Airport) -> None:
    worker = {"runtime": "Headrace", "handler": "handlers:app", "imagePullPolicy": "Never"}
    worker["image"] = "registry.invalid/flights:none"
    airport.apply(pipeline(group("delays", worker=worker, scaling=FIXED)))
    airport.wait_condition("Ready", "registry.invalid/flights:none", "delays", timeout=90)


@pytest.mark.timeout(150)
def test_an_unknown_handler_is_named_in_a_condition(airport: Airport) -> None:
    airport.apply_handlers(HANDLERS)
    worker = {
        "runtime": "Headrace",
        "handler": "handlers:ap",
        "codeConfigMapRef": {"name": "flights-handlers"},
    }
    airport.apply(pipeline(group("delays", worker=worker, scaling=FIXED)))
    airport.wait_condition("Ready", "handlers:ap", timeout=90)


@pytest.mark.timeout(150)
def test_a_missing_secret_is_named_and_its_arrival_heals_the_pipeline(airport: Airport) -> None:
    redis = {"endpoints": ["redis:6379"], "credentialsSecretRef": {"name": "not-yet"}}
    airport.apply_handlers(HANDLERS)
    manifest = pipeline(group("app"), redis=redis)
    airport.apply(manifest)
    airport.wait_condition("Ready", "not-yet")
    airport.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "not-yet"},
            "stringData": {"password": "flights-of-2013"},
        }
    )
    until("Ready", lambda: airport.condition().get("status") == "True", within=90)


@pytest.mark.timeout(150)
def test_an_unreachable_redis_is_named_and_no_password_shows_anywhere(airport: Airport) -> None:
    redis = {"endpoints": ["nowhere:6379"], "credentialsSecretRef": {"name": "redis-auth"}}
    airport.apply_handlers(HANDLERS)
    airport.apply(pipeline(group("app"), redis=redis))
    airport.wait_condition("Ready", "nowhere")
    shown = airport.kubectl("get", "streampipelines,pods,events,configmaps", "-o", "yaml")
    assert "flights-of-2013" not in shown
