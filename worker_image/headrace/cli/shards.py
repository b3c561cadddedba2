"""What each shard of a Cluster carries, for `headrace backlog`."""

from __future__ import annotations

from dataclasses import replace

from headrace.cli.redis_options import Place
from headrace.streams.connect import (
    NO_OPTIONS,
    REDIS_ERRORS,
    Mode,
    cluster_map,
    connect,
    credentials_of,
)
from headrace.streams.primary import allow
from headrace.streams.server_info import read_info
from headrace.streams.shards import Shard, shard_of
from headrace.streams.url import join_endpoint


async def shards_of(place: Place) -> list[Shard]:
    """Empty where it is no Cluster, and where a shard does not answer: that is told elsewhere."""
    target, config = place.target, place.config
    if target is None or config is None or target.mode is not Mode.CLUSTER:
        return []
    known = credentials_of(config.redis)
    owners = cluster_map(target, known, NO_OPTIONS, allow)
    found = []
    try:
        await owners.refresh()
        for address in (join_endpoint(*one) for one in owners.owners):
            node = replace(target, mode=Mode.STANDALONE, endpoints=(address,))
            async with connect(node, known, role="admin") as client:
                found.append(shard_of(address, await read_info(client)))
    except REDIS_ERRORS:
        return []
    return found
