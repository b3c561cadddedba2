"""Variables that say how to reach Redis, beside the URL."""

from __future__ import annotations

ENV_PASSWORD = "HEADRACE_REDIS_PASSWORD"  # noqa: S105 - a variable's name
ENV_CA = "HEADRACE_REDIS_CA"
ENV_CERTIFICATE = "HEADRACE_REDIS_CERT"
ENV_KEY = "HEADRACE_REDIS_KEY"
