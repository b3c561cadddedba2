"""Fixtures of the worker's tests: an emptied real server with one stream."""

import pytest
from tests.support.redis_servers import RedisServer, redis_server
from tests.support.workers import Stage

__all__ = ["redis_server"]


@pytest.fixture
def stage(redis_server: RedisServer) -> Stage:
    return Stage(redis_server)
