"""The bundle for the Operator Lifecycle Manager (OperatorHub, OpenShift), made from what an install
without Helm applies, so that both have the same rights, arguments and probes.

Format: https://olm.operatorframework.io/docs/tasks/creating-operator-bundle/
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

PACKAGE, CHANNEL = "headrace", "alpha"
OPERATOR = "charts/kustomize/base/operator.yaml"
DEFINITIONS = ("crds/streampipelines.headrace.dev.yaml", "crds/redisconnections.headrace.dev.yaml")
EXAMPLE = "examples/manifests/minimal.yaml"
CONNECTION: dict[str, Any] = {
    "apiVersion": "headrace.dev/v1alpha1",
    "kind": "RedisConnection",
    "metadata": {"name": "shared"},
    "spec": {"endpoints": ["redis:6379"], "credentialsSecretRef": {"name": "redis-auth"}},
}
ICON = "docs/headrace.svg"
# What OLM makes by itself from the CSV, or brings along.
_OF_OLM = {"ServiceAccount", "ClusterRoleBinding", "Role", "RoleBinding", "Deployment"}
_MODES = ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
_DESCRIPTION = """\
Headrace runs Redis Streams consumers on Kubernetes. You have events in a stream and Python
handlers; you write one `StreamPipeline`. Headrace creates the consumer groups, deploys a worker
Deployment for each group, scales it between 0 and N on the true backlog, retries, dead-letters,
reclaims what dead consumers left behind, and trims the stream without removing an entry that a
group still needs.

Needs Redis 7.0 or newer, or Valkey 8 or newer. The operator watches all namespaces.
"""


def bundle(source: Path, epoch: int) -> dict[str, str]:
    """Path in the bundle -> text. `epoch`: Unix seconds of the commit."""
    items = [one for one in yaml.safe_load_all((source / OPERATOR).read_text("utf-8")) if one]
    definitions = {Path(file).name: (source / file).read_text("utf-8") for file in DEFINITIONS}
    chart = yaml.safe_load((source / "charts/headrace/Chart.yaml").read_text("utf-8"))
    files = {
        "manifests/headrace.clusterserviceversion.yaml": _text(
            service_version(source, items, chart, epoch)
        ),
        **{f"manifests/{name}": text for name, text in definitions.items()},
        "metadata/annotations.yaml": _text({"annotations": _annotations()}),
        "bundle.Dockerfile": _dockerfile(),
    }
    for item in items:
        if item["kind"] not in _OF_OLM and not _is_the_operators_own_role(item, items):
            item["metadata"].pop("namespace", None)  # OLM chooses it
            name = f"{item['metadata']['name']}.{item['kind'].lower()}.yaml"
            files[f"manifests/{name}"] = _text(item)
    return files


def service_version(
    source: Path,
    items: list[dict[str, Any]],
    chart: dict[str, Any],
    epoch: int,
) -> dict[str, Any]:
    """The ClusterServiceVersion: what OLM shows, and what it installs."""
    (deployment,) = _of_kind(items, "Deployment")
    example = list(yaml.safe_load_all((source / EXAMPLE).read_text("utf-8")))[-1]
    icon = base64.b64encode((source / ICON).read_bytes()).decode()
    images = _images(deployment)
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{PACKAGE}.v{chart['version']}",
            "namespace": "placeholder",  # OLM puts its own there
            "annotations": {
                "alm-examples": json.dumps([example, CONNECTION]),
                "capabilities": chart["annotations"]["artifacthub.io/operatorCapabilities"],
                "categories": "Streaming & Messaging",
                "containerImage": images["operator"],
                "createdAt": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "description": chart["description"],
                "repository": chart["home"],
                "support": "The Headrace maintainers",
            },
        },
        "spec": {
            "displayName": "Headrace",
            "description": _DESCRIPTION,
            "version": chart["version"],
            "minKubeVersion": chart["kubeVersion"].removeprefix(">=").removesuffix("-0"),
            "maturity": "alpha",
            "keywords": chart["keywords"],
            "provider": {"name": "The Headrace maintainers", "url": chart["home"]},
            "links": [{"name": "Documentation", "url": f"{chart['home']}/tree/main/docs"}],
            "icon": [{"base64data": icon, "mediatype": "image/svg+xml"}],
            "installModes": [
                {"type": mode, "supported": mode == "AllNamespaces"} for mode in _MODES
            ],
            "install": {"strategy": "deployment", "spec": _installed(items, deployment)},
            "customresourcedefinitions": {"owned": [_owned(source / file) for file in DEFINITIONS]},
            "relatedImages": [{"name": name, "image": image} for name, image in images.items()],
        },
    }


def _installed(items: list[dict[str, Any]], deployment: dict[str, Any]) -> dict[str, Any]:
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]

    def granted(kind: str) -> list[dict[str, Any]]:
        (binding,) = _of_kind(items, f"{kind}Binding")
        (role,) = (
            one
            for one in _of_kind(items, kind)
            if one["metadata"]["name"] == binding["roleRef"]["name"]
        )
        return [{"serviceAccountName": account, "rules": role["rules"]}]

    return {
        "clusterPermissions": granted("ClusterRole"),
        "permissions": granted("Role"),
        "deployments": [
            {
                "name": deployment["metadata"]["name"],
                "label": deployment["metadata"]["labels"],
                "spec": deployment["spec"],
            }
        ],
    }


def _owned(file: Path) -> dict[str, Any]:
    definition = yaml.safe_load(file.read_text("utf-8"))
    spec = definition["spec"]
    version = spec["versions"][0]
    return {
        "name": definition["metadata"]["name"],
        "kind": spec["names"]["kind"],
        "version": version["name"],
        "displayName": spec["names"]["kind"],
        "description": version["schema"]["openAPIV3Schema"]["description"],
    }


def _images(deployment: dict[str, Any]) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (worker,) = (one for one in container["args"] if one.startswith("--worker-image="))
    return {"operator": container["image"], "worker": worker.partition("=")[2]}


def _is_the_operators_own_role(item: dict[str, Any], items: list[dict[str, Any]]) -> bool:
    bound = {one["roleRef"]["name"] for one in _of_kind(items, "ClusterRoleBinding")}
    return item["kind"] == "ClusterRole" and item["metadata"]["name"] in bound


def _of_kind(items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in items if item["kind"] == kind]


def _annotations() -> dict[str, str]:
    prefix = "operators.operatorframework.io.bundle"
    return {
        f"{prefix}.mediatype.v1": "registry+v1",
        f"{prefix}.manifests.v1": "manifests/",
        f"{prefix}.metadata.v1": "metadata/",
        f"{prefix}.package.v1": PACKAGE,
        f"{prefix}.channels.v1": CHANNEL,
        f"{prefix}.channel.default.v1": CHANNEL,
    }


def _dockerfile() -> str:
    labels = [f"LABEL {name}={value}" for name, value in _annotations().items()]
    return "\n".join(
        ["FROM scratch", *labels, "COPY manifests /manifests/", "COPY metadata /metadata/", ""]
    )


def _text(item: dict[str, Any]) -> str:
    return yaml.safe_dump(item, sort_keys=False, width=100, allow_unicode=True)
