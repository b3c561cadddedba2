"""The command lines of the daemons: pure functions of the cluster's directory and addresses."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.subnets import Subnets

Command = list[str | Path]


def etcd(binary: Path, directory: Path) -> Command:
    client = "http://127.0.0.1:2379"
    return [
        binary,
        "etcd",
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",  # the data need not survive this machine
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        "--listen-peer-urls=http://127.0.0.1:0",
        "--log-level=warn",
    ]


def apiserver(binary: Path, directory: Path, subnets: Subnets) -> Command:
    pki = directory / "pki"
    return [
        binary,
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=6443",
        f"--advertise-address={subnets.node_address}",
        f"--service-cluster-ip-range={subnets.services}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        # As OpenShift has it: who writes an ownerReference that blocks needs a right for that.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        f"--audit-policy-file={directory / 'audit-policy.json'}",
        f"--audit-log-path={directory / 'audit.log'}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=1",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--profiling=false",
    ]


def controller_manager(binary: Path, directory: Path) -> Command:
    return [
        binary,
        "kube-controller-manager",
        f"--kubeconfig={directory / 'kubeconfig'}",
        "--leader-elect=false",
        f"--service-account-private-key-file={directory / 'pki' / 'sa.key'}",
        f"--root-ca-file={directory / 'pki' / 'ca.crt'}",
        f"--cluster-signing-cert-file={directory / 'pki' / 'ca.crt'}",
        f"--cluster-signing-key-file={directory / 'pki' / 'ca.key'}",
        f"--flex-volume-plugin-dir={directory / 'kubelet-plugins'}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler(binary: Path, directory: Path) -> Command:
    kubeconfig = directory / "kubeconfig"
    return [binary, "kube-scheduler", f"--kubeconfig={kubeconfig}", "--leader-elect=false"]


def containerd(directory: Path) -> Command:
    return ["containerd", "--config", directory / "containerd" / "config.toml"]


def kubelet(binary: Path, directory: Path, subnets: Subnets) -> Command:
    return [
        binary,
        "kubelet",
        f"--config={directory / 'kubelet.json'}",
        f"--kubeconfig={directory / 'node.kubeconfig'}",
        "--hostname-override=node",
        f"--node-ip={subnets.node_address}",
        f"--root-dir={directory / 'kubelet'}",
        f"--cert-dir={directory / 'kubelet-pki'}",
    ]


def proxy(binary: Path, directory: Path, subnets: Subnets) -> Command:
    return [
        binary,
        "kube-proxy",
        f"--kubeconfig={directory / 'kubeconfig'}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={subnets.pods}",
        "--hostname-override=node",
        # The conntrack sysctls belong to the whole machine and are read-only in a namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]


def coredns(binary: Path, directory: Path) -> Command:
    return [binary, "-conf", directory / "Corefile", "-dns.port", "53"]
