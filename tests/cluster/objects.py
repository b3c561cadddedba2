"""The Kubernetes objects that a new node needs: cluster DNS, and volumes for claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cluster.subnets import Subnets

VOLUMES = 96
Manifest = dict[str, Any]


def dns(subnets: Subnets) -> list[tuple[str, Manifest]]:
    """Service and EndpointSlice of CoreDNS, which runs on the node itself; (API path, manifest)."""
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    labels = {"kubernetes.io/service-name": "kube-dns"}
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": str(subnets.dns_service), "ports": ports},
    }
    endpoints: Manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [str(subnets.node_address)], "conditions": {"ready": True}},
        ],
        "ports": ports,
    }
    slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    return [
        ("/api/v1/namespaces/kube-system/services/kube-dns", service),
        (f"{slices}/kube-dns", endpoints),
    ]


def storage(directory: Path) -> list[tuple[str, Manifest]]:
    """The default StorageClass and directories of the node that its claims bind to."""
    storage_class: Manifest = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    found = [("/apis/storage.k8s.io/v1/storageclasses/standard", storage_class)]
    for number in range(VOLUMES):
        name = f"volume-{number:02}"
        found.append((f"/api/v1/persistentvolumes/{name}", _volume(name, directory / name)))
    return found


def _volume(name: str, path: Path) -> Manifest:
    on_the_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node"]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "standard",
            "local": {"path": str(path)},
            "nodeAffinity": {
                "required": {"nodeSelectorTerms": [{"matchExpressions": [on_the_node]}]}
            },
        },
    }
