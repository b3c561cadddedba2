"""A ServiceAccount with chosen rights, and a kubeconfig to act as it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support import yaml_text
from tests.support.kube import Kube

RBAC = "/apis/rbac.authorization.k8s.io/v1"
INSTALLED = Path(__file__).parents[2] / "charts/kustomize/base/operator.yaml"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
LEASES = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}]


def installed_rules(kind: str) -> list[dict[str, Any]]:
    """What an install gives the operator: by its ClusterRole everywhere, by its Role at home."""
    documents = [one for one in yaml_text.load_all(INSTALLED.read_text()) if one]
    (bound,) = [one["roleRef"]["name"] for one in documents if one["kind"] == f"{kind}Binding"]
    return [
        rule
        for one in documents
        if one["kind"] == kind and one["metadata"]["name"] == bound
        for rule in one["rules"]
    ]


def account(kube: Kube, namespace: str, directory: Path, name: str = "operator") -> Path:
    """Makes the ServiceAccount; returns a kubeconfig with a token of its."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    kube.request("POST", accounts, {"metadata": {"name": name}})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.request("POST", f"{accounts}/{name}/token", asked)["status"]["token"]
    config = yaml_text.load(kube.kubeconfig.read_text())
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    path = directory / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def grant(
    kube: Kube,
    namespace: str,
    rules: list[dict[str, Any]],
    *,
    to: str,
    account: str = "operator",
) -> None:
    """A Role in `namespace`, bound to the ServiceAccount `account` of namespace `to`."""
    place = f"{RBAC}/namespaces/{namespace}"
    kube.request("POST", f"{place}/roles", {"metadata": {"name": account}, "rules": rules})
    binding = {
        "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": to}],
    }
    kube.request("POST", f"{place}/rolebindings", binding)


def grant_everywhere(kube: Kube, rules: list[dict[str, Any]], *, to: str) -> None:
    """A ClusterRole, named as the namespace `to` and bound to its account, and the binding."""
    binding = {
        "metadata": {"name": to},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": to},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": to}],
    }
    kube.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": to}, "rules": rules})
    kube.request("POST", f"{RBAC}/clusterrolebindings", binding)


def withdraw_everywhere(kube: Kube, namespace: str) -> None:
    kube.request("DELETE", f"{RBAC}/clusterrolebindings/{namespace}")
    kube.request("DELETE", f"{RBAC}/clusterroles/{namespace}")


def withdraw(kube: Kube, namespace: str, account: str = "operator") -> None:
    kube.request("DELETE", f"{RBAC}/namespaces/{namespace}/rolebindings/{account}")
