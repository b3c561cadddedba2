"""Reads which images a Dockerfile starts from: pure text."""

from __future__ import annotations

import re

VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def bases(text: str) -> list[str]:
    """Full names of the images after FROM, without the stages of the file itself and scratch."""
    values: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    found: list[str] = []
    for line in text.splitlines():
        words = [word for word in line.split() if not word.startswith("--")]
        if len(words) < 2:
            continue
        keyword = words[0].upper()
        if keyword == "ARG" and not found:
            name, _, default = words[1].partition("=")
            values[name] = default
        elif keyword == "FROM":
            image = VARIABLE.sub(lambda match: values.get(match[1], ""), words[1])
            if image not in stages and full_name(image) not in found:
                found.append(full_name(image))
            if len(words) == 4 and words[2].upper() == "AS":
                stages.add(words[3])
    return found


def full_name(image: str) -> str:
    """Docker's short names spelt out: `redis:8` is `docker.io/library/redis:8`."""
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
