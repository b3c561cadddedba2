"""One cluster with Headrace on it for the whole tier; a namespace with Redis for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from examples.flights.demo import install
from examples.flights.demo.cluster import Place, open_place
from examples.flights.demo.commands import Kubectl
from tests.support.pipeline_namespace import Airport, open_airport

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def place() -> Place:
    """The local cluster, or the one of HEADRACE_KUBECONFIG, with the images on it."""
    return open_place(lambda line: print(line, flush=True))


@pytest.fixture(scope="session")
def headrace(place: Place) -> Kubectl:
    """Headrace installed by its chart; kubectl for the namespace it runs in."""
    kubectl = Kubectl(place.kubeconfig, install.SYSTEM_NAMESPACE, place.kubectl)
    install.install_chart(kubectl, place.helm, place.values)
    return kubectl


@pytest.fixture
def airport(headrace: Kubectl, place: Place) -> Iterator[Airport]:
    name = f"airport-{os.getpid()}-{next(numbers)}"
    with open_airport(Kubectl(place.kubeconfig, name, place.kubectl)) as opened:
        yield opened
