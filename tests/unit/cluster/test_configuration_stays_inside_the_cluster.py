"""Rendered configuration is well-formed and names only paths and addresses of its own cluster."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from tests.cluster import components, node_config, objects
from tests.cluster.subnets import subnets

HOME = Path("/var/lib/headrace/7")
NET = subnets(7)


@pytest.mark.parametrize("restricted", [True, False])
def test_containerd_keeps_all_its_files_in_the_cluster(restricted: bool) -> None:
    text = node_config.containerd(HOME, restrict_oom_score=restricted, snapshotter="overlayfs")
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    places = [config["root"], config["state"], config["grpc"]["address"], cri["cni"]["conf_dir"]]
    assert all(place.startswith(f"{HOME}/") for place in places)
    assert cri["restrict_oom_score_adj"] is restricted
    assert cri["netns_mounts_under_state_dir"] is True


def test_pods_get_addresses_of_the_cluster_from_a_list_of_the_cluster() -> None:
    ptp = json.loads(node_config.cni(HOME, NET))["plugins"][0]
    assert ptp["ipam"]["ranges"] == [[{"subnet": str(NET.pods)}]]
    assert ptp["ipam"]["dataDir"].startswith(f"{HOME}/")


def test_the_kubelet_works_below_the_clusters_cgroup() -> None:
    config = json.loads(node_config.kubelet(HOME, NET, "headrace-7"))
    assert config["cgroupRoot"] == "/headrace-7"
    assert config["clusterDNS"] == [str(NET.dns_service)]


def test_no_daemon_is_told_of_a_path_outside_the_cluster() -> None:
    binary = Path("/cache/kubernetes")
    commands = [
        components.etcd(binary, HOME),
        components.apiserver(binary, HOME, NET),
        components.controller_manager(binary, HOME),
        components.scheduler(binary, HOME),
        components.kubelet(binary, HOME, NET),
        components.proxy(binary, HOME, NET),
        components.coredns(binary, HOME),
    ]
    for first, *flags in commands:
        assert first == binary
        for flag in flags:
            for path in re.findall(r"(?:^|=)(/[^=]*)", str(flag)):
                assert path.startswith(f"{HOME}/"), flag


def test_a_socket_path_is_short_enough_for_the_kernel() -> None:
    longest = Path("/var/lib/headrace/127/containerd/containerd.sock.ttrpc")
    assert len(str(longest)) < 108


def test_volumes_have_names_and_directories_of_their_own() -> None:
    volumes = [manifest for path, manifest in objects.storage(HOME) if "volumes" in path]
    places = {volume["spec"]["local"]["path"] for volume in volumes}
    assert len(places) == len(volumes) == objects.VOLUMES
