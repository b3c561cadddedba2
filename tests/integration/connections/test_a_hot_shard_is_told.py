"""A Cluster of which one shard carries nearly all: `headrace backlog` says so."""

import json
from pathlib import Path
from uuid import uuid4

from tests.support.command_line import headrace
from tests.support.redis_topologies import cluster, plain
from tests.support.workers import GROUP, STREAM


def test_the_shard_is_named_where_it_carries_nearly_all(tmp_path: Path) -> None:
    with cluster() as topology:
        primary = topology.primary(STREAM)
        plain(primary).xgroup_create(STREAM, GROUP, "0", mkstream=True)
        owner = {"key": "default/flights", "uid": str(uuid4())}
        config = {
            **{"namespace": "default", "pipeline": "flights", "group": GROUP, "owner": owner},
            **{"consumerGroup": GROUP, "stream": STREAM, "redis": topology.settings},
            "deadLetter": {"stream": f"headrace:{{{STREAM}}}:dead", "maxLength": 10},
        }
        (tmp_path / "worker.json").write_text(json.dumps(config))
        path = str(tmp_path / "worker.json")
        calm = headrace("backlog", STREAM, HEADRACE_CONFIG=path)
        assert (calm.returncode, calm.stderr) == (0, "")
        plain(primary).xadd(STREAM, {"payload": "x" * (40 << 20)})
        hot = headrace("backlog", STREAM, HEADRACE_CONFIG=path)
        assert hot.returncode == 0
        assert "warning: of 3 shards 127.0.0.1:" in hot.stderr
        assert "of the memory" in hot.stderr
        told = json.loads(headrace("backlog", STREAM, "-o", "json", HEADRACE_CONFIG=path).stdout)
        assert len(told["shards"]) == 3
        assert max(one["memoryBytes"] for one in told["shards"]) > 40 << 20
