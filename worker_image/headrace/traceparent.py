"""The W3C trace context of the span that is current here, when the program traces itself."""

from __future__ import annotations

import sys


def current_traceparent() -> str | None:
    """As the field `traceparent` carries it; None without OpenTelemetry or without a span."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:  # nobody imported it, so nobody opened a span
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}"
