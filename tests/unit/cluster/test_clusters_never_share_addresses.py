"""Every cluster has addresses of its own, and takes none that the machine routes already."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.errors import ClusterError
from tests.cluster.subnets import BLOCKS, RANGE, free_index, subnets

indexes = st.integers(0, BLOCKS - 1)


@given(indexes, indexes)
def test_blocks_of_two_indexes_are_apart(one: int, two: int) -> None:
    assert subnets(one).block.overlaps(subnets(two).block) == (one == two)
    assert subnets(one).block.subnet_of(RANGE)


@given(indexes)
def test_parts_of_a_block_are_apart_and_inside_it(index: int) -> None:
    net = subnets(index)
    parts = [net.link, net.services, net.pods]
    assert all(part.subnet_of(net.block) for part in parts)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(parts, 2))
    assert net.node_address in net.link
    assert net.host_address in net.link
    assert {net.api_service, net.dns_service} <= set(net.services)


@given(st.sets(indexes, max_size=BLOCKS - 1))
def test_the_lowest_free_index_is_taken(taken: set[int]) -> None:
    index = free_index(taken, [])
    assert index not in taken
    assert set(range(index)) <= taken


def test_an_index_under_a_route_of_the_machine_is_passed_over() -> None:
    routes = [IPv4Network("198.18.0.0/22"), IPv4Network("198.18.5.7/32"), IPv4Network("10.0.0.0/8")]
    assert free_index(set(), routes) == 2


def test_the_default_route_hides_nothing() -> None:
    assert free_index({0}, [IPv4Network("0.0.0.0/0")]) == 1


def test_a_machine_without_a_free_block_is_told_what_to_look_at() -> None:
    with pytest.raises(ClusterError, match="list"):
        free_index(set(range(BLOCKS)), [])
