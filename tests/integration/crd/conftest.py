import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl

from headrace_api import crd


@pytest.fixture(scope="session")
def crd_kubectl(control_plane: ControlPlane) -> Kubectl:
    """kubectl for a real API server on which the definition is established."""
    kubectl = Kubectl(control_plane.kubeconfig, control_plane.kubectl_path)
    for resource in crd.RESOURCES:
        kubectl("apply", "-f", str(resource.path))
        kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{resource.path.stem}")
    return kubectl


@pytest.fixture
def namespace(crd_kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"crd-{uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    crd_kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    yield name
    crd_kubectl("delete", "namespace", name, "--wait=false")
