"""What each fault does to the running world."""

from tests.crash.faults.data import DataFaults
from tests.crash.faults.network import NetworkFaults
from tests.crash.faults.server import ServerFaults
from tests.crash.faults.workers import WorkerFaults


class Faults(WorkerFaults, NetworkFaults, ServerFaults, DataFaults):
    """All of them, by the names that scenarios use."""
