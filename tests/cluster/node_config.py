"""The configuration files of API server, containerd, CNI, kubelet and CoreDNS: pure text."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.subnets import Subnets

PAUSE_IMAGE = "docker.io/library/pause:headrace"


def audit_policy() -> str:
    """What ServiceAccounts ask for, without bodies: tests compare it with the rights they have."""
    told = {"level": "Metadata", "userGroups": ["system:serviceaccounts"]}
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [told, {"level": "None"}],
    }
    return json.dumps(policy, indent=1) + "\n"


def containerd(directory: Path, *, restrict_oom_score: bool, snapshotter: str) -> str:
    """containerd 1.6 to 1.7 (and 2.x, which reads version 2): all its files below `directory`.

    `restrict_oom_score` is for a machine without CAP_SYS_RESOURCE, where runc otherwise dies with
    "can't get final child's PID from pipe".
    """
    return f"""\
version = 2
root = "{directory}/containerd/root"
state = "{directory}/containerd/state"
[grpc]
address = "{directory}/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{directory}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = {str(restrict_oom_score).lower()}
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{directory}/cni"
"""


def cni(directory: Path, subnets: Subnets) -> str:
    """One routed pair of links per pod: a bridge would let a Service's answers pass it by."""
    ipam = {
        "type": "host-local",
        "dataDir": f"{directory}/ipam",
        "ranges": [[{"subnet": str(subnets.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "ptp", "ipMasq": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}, indent=1) + "\n"


def kubelet(directory: Path, subnets: Subnets, cgroup: str) -> str:
    pki = directory / "pki"
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{directory}/containerd/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "node.crt"),
        "tlsPrivateKeyFile": str(pki / "node.key"),
        "clusterDNS": [str(subnets.dns_service)],
        "clusterDomain": "cluster.local",
        "volumePluginDir": f"{directory}/kubelet-plugins",
        "maxPods": 250,
        "serializeImagePulls": False,
        # Images come from files and could not be pulled again: a full disk must not collect them.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    return json.dumps(config, indent=1) + "\n"


def corefile(directory: Path) -> str:
    return f"""\
.:53 {{
    errors
    ready :8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {directory}/kubeconfig headrace
    }}
    cache 5
}}
"""
