"""The worker finds `flight_pb2` as it finds the handlers: the code's directory comes first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
