"""The operator's own account: the rights of an install, some for each namespace apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support import yaml_text
from tests.support.access import RBAC, installed_rules
from tests.support.kube import Kube, Refused

API = "rbac.authorization.k8s.io/v1"
ACCOUNT, HOME = "headrace", "hostile-system"
LOOKS = frozenset({"get", "list", "watch"})
SUBJECT = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": HOME}
WRITE, SECRETS = "hostile-write", "hostile-secrets"
"""Roles that are bound in each namespace, and can be taken away there."""


def give(kube: Kube, directory: Path) -> Path:
    """Make account and rights; the path of the operator's kubeconfig."""
    _put(kube, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace"}, HOME)
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    _put(kube, f"/api/v1/namespaces/{HOME}/serviceaccounts", account, ACCOUNT)
    look, write, secrets = _split(installed_rules("ClusterRole"))
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}
    for name, given in (("hostile-look", look), (WRITE, write), (SECRETS, secrets)):
        _put(kube, f"{RBAC}/clusterroles", _role(given), name)
    _put(kube, f"{RBAC}/clusterroles", _role([leases]), "hostile-lease")
    _put(kube, f"{RBAC}/clusterrolebindings", _binding("hostile-look", "Cluster"), "hostile-look")
    bind(kube, HOME, "hostile-lease")
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 24 * 3600},
    }
    path = f"/api/v1/namespaces/{HOME}/serviceaccounts/{ACCOUNT}/token"
    token = kube.request("POST", path, request)["status"]["token"]
    config = yaml_text.load(kube.kubeconfig.read_text())
    user = config["contexts"][0]["context"]["user"]
    config["users"] = [{"name": user, "user": {"token": token}}]
    written = directory / "operator.kubeconfig"
    written.touch(mode=0o600)
    written.write_text(yaml.safe_dump(config))
    return written


def bind(kube: Kube, namespace: str, role: str) -> None:
    path = f"{RBAC}/namespaces/{namespace}/rolebindings"
    _put(kube, path, _binding(role), role)


def unbind(kube: Kube, namespace: str, role: str) -> None:
    kube.request("DELETE", f"{RBAC}/namespaces/{namespace}/rolebindings/{role}")


def _split(rules: list[dict[str, Any]]) -> tuple[list[Any], list[Any], list[Any]]:
    """What is looked at everywhere; what is written; the Secrets."""
    secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    others = [rule for rule in rules if "secrets" not in rule["resources"]]
    look = [{**rule, "verbs": [v for v in rule["verbs"] if v in LOOKS]} for rule in others]
    write = [{**rule, "verbs": [v for v in rule["verbs"] if v not in LOOKS]} for rule in others]
    return [r for r in look if r["verbs"]], [r for r in write if r["verbs"]], secrets


def _role(rules: list[Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "ClusterRole", "rules": rules}


def _binding(role: str, scope: str = "") -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    kind = "ClusterRoleBinding" if scope else "RoleBinding"
    return {"apiVersion": API, "kind": kind, "roleRef": reference, "subjects": [SUBJECT]}


def _put(kube: Kube, path: str, manifest: dict[str, Any], name: str) -> None:
    try:
        kube.request("POST", path, {**manifest, "metadata": {"name": name}})
    except Refused as refusal:
        if refusal.status != 409:
            raise
