"""Redis clients for the demo, over a port-forward."""

from __future__ import annotations

import base64

import redis
from examples.flights.demo.commands import Kubectl
from redis.backoff import NoBackoff
from redis.retry import Retry


def read_password(kubectl: Kubectl, secret: str = "redis-auth") -> str:
    data = kubectl.get("secret", secret)["data"]
    return base64.b64decode(data["password"]).decode()


def open_client(port: int, password: str) -> redis.Redis:
    """Answers are bytes; nothing is sent twice, because a repeated XADD doubles an event."""
    return redis.Redis(port=port, password=password, retry=Retry(NoBackoff(), 0))
