"""Whether this worker traces its handlers, and where the spans go: the standard OTEL_* variables.

OpenTelemetry comes with `headrace[otel]`. A worker that is not asked to trace sets no provider,
and its handlers are called as they are.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from headrace.context import HandlerEnvironment
from headrace.worker.errors import ConfigError
from headrace.worker.routes import Route

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = "OTEL_TRACES_EXPORTER"
_OTLP = {
    "http/protobuf": ("otlp_proto_http", "headrace[otel]"),
    "grpc": ("otlp_proto_grpc", "opentelemetry-exporter-otlp-proto-grpc"),
}
"""Protocol -> (entry point, what to install for it)."""


def export_spans(service: str) -> None:
    """Set this process's tracer provider as the environment says; `service` is its default name.

    Nothing happens when no variable asks for traces, or when the app has set a provider itself.
    Raises ConfigError.
    """
    asks = _asks()
    if asks is None:
        return
    try:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            f"{asks} asks for traces, and this image has no OpenTelemetry: install headrace[otel]"
            " in it, or set OTEL_SDK_DISABLED=true"
        ) from None
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    exporters = [_exporter(name.strip()) for name in _value(_EXPORTERS, "otlp").split(",")]
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def trace_handlers(routes: list[Route], env: HandlerEnvironment) -> None:
    """Give each handler its span, when the process has a tracer provider; else change nothing."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:  # not installed, or nobody set a provider
        return
    from headrace import __version__  # noqa: PLC0415
    from headrace.worker.handling.spans import traced  # noqa: PLC0415

    tracer = trace.get_tracer("headrace", __version__)
    if isinstance(tracer, (trace.ProxyTracer, trace.NoOpTracer)):
        return
    for route in routes:
        route.handler = traced(route.handler, tracer, env)


def _value(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def _asks() -> str | None:
    """The variable that asks for traces, if one does."""
    if _value("OTEL_SDK_DISABLED").lower() == "true" or _value(_EXPORTERS).lower() == "none":
        return None
    return next((name for name in (_EXPORTERS, *_ENDPOINTS) if _value(name)), None)


def _exporter(name: str) -> SpanExporter:
    """Load and make an exporter; it reads its own variables. Raises ConfigError."""
    install = "the package that brings it"
    if name == "otlp":
        _check_endpoints()
        name, install = _otlp()
    found = next(iter(entry_points(group="opentelemetry_traces_exporter", name=name)), None)
    if found is None:
        raise ConfigError(
            f"traces are to be exported by {name!r}, which this image lacks: install {install},"
            f" or change {_EXPORTERS}"
        )
    try:
        exporter: SpanExporter = found.load()()
    except Exception as error:
        raise ConfigError(
            f"the exporter of traces {name!r} cannot start: {type(error).__name__}: {error};"
            " see its OTEL_EXPORTER_* variables"
        ) from error
    return exporter


def _otlp() -> tuple[str, str]:
    asked = next((name for name in _PROTOCOLS if _value(name)), "")
    protocol = _value(asked, "http/protobuf") if asked else "http/protobuf"
    if protocol not in _OTLP:
        raise ConfigError(f"{asked}={protocol}: use {' or '.join(_OTLP)}")
    return _OTLP[protocol]


def _check_endpoints() -> None:
    """An exporter would log what is wrong with them at each try, and nobody would read it."""
    for name in _ENDPOINTS:
        if (value := _value(name)) and not value.startswith(("http://", "https://")):
            raise ConfigError(
                f"{name} begins with http:// or https://, for example http://otel:4318"
            )
