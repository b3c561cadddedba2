"""The standard OTEL_* variables, and one sentence for each that cannot be followed."""

import sys
from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from headrace.worker.errors import ConfigError
from headrace.worker.handling.tracing import export_spans


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has set no tracer provider, and whose environment says nothing."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(
        trace, "set_tracer_provider", lambda it: monkeypatch.setattr(trace, "_TRACER_PROVIDER", it)
    )
    for name in ("TRACES_EXPORTER", "EXPORTER_OTLP_ENDPOINT", "SERVICE_NAME", "SDK_DISABLED"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


def provider_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> TracerProvider | None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    export_spans("flights-delays")
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        return None
    provider.shutdown()
    return provider


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TRACES_EXPORTER": "none", "EXPORTER_OTLP_ENDPOINT": "http://otel:4318"},
        {"SDK_DISABLED": "true", "EXPORTER_OTLP_ENDPOINT": "http://otel:4318"},
        {"EXPORTER_OTLP_ENDPOINT": " "},
    ],
)
def test_nothing_is_exported_unless_asked(monkeypatch: pytest.MonkeyPatch, variables) -> None:
    assert provider_with(monkeypatch, **variables) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"EXPORTER_OTLP_ENDPOINT": "http://otel:4318"},
        {"EXPORTER_OTLP_TRACES_ENDPOINT": "https://otel:4318/v1/traces"},
        {"TRACES_EXPORTER": "otlp", "EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {"TRACES_EXPORTER": "console"},
        {"TRACES_EXPORTER": "console,otlp"},
    ],
)
def test_an_endpoint_or_an_exporter_turns_tracing_on(
    monkeypatch: pytest.MonkeyPatch, variables
) -> None:
    provider = provider_with(monkeypatch, **variables)
    assert provider is not None
    assert provider.resource.attributes["service.name"] == "flights-delays"


def test_the_service_is_named_by_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"TRACES_EXPORTER": "console", "RESOURCE_ATTRIBUTES": "service.name=mine"}
    provider = provider_with(monkeypatch, **variables)
    assert provider is not None
    assert provider.resource.attributes["service.name"] == "mine"


def test_a_provider_that_the_app_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", mine)
    assert provider_with(monkeypatch, TRACES_EXPORTER="console") is mine


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"TRACES_EXPORTER": "zipkin"},
            "traces are to be exported by 'zipkin', which this image lacks: install the package"
            " that brings it, or change OTEL_TRACES_EXPORTER",
        ),
        (
            {"TRACES_EXPORTER": "otlp", "EXPORTER_OTLP_PROTOCOL": "grpc"},
            "'otlp_proto_grpc', which this image lacks: install"
            " opentelemetry-exporter-otlp-proto-grpc",
        ),
        (
            {"TRACES_EXPORTER": "otlp", "EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json: use http/protobuf or grpc",
        ),
        (
            {"EXPORTER_OTLP_ENDPOINT": "otel:4318"},
            "OTEL_EXPORTER_OTLP_ENDPOINT begins with http:// or https://",
        ),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variables, sentence: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        provider_with(monkeypatch, **variables)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_exporter_that_cannot_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("no such certificate")

    found = [SimpleNamespace(load=lambda: broken)]
    monkeypatch.setattr("headrace.worker.handling.tracing.entry_points", lambda **_: found)
    with pytest.raises(ConfigError, match="'mine' cannot start: ValueError: no such certificate"):
        provider_with(monkeypatch, TRACES_EXPORTER="mine")


def test_an_image_without_opentelemetry_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError) as refusal:
        provider_with(monkeypatch, EXPORTER_OTLP_ENDPOINT="http://otel:4318")
    assert str(refusal.value) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and this image has no OpenTelemetry: "
        "install headrace[otel] in it, or set OTEL_SDK_DISABLED=true"
    )
