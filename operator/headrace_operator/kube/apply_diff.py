"""Is a desired manifest already contained in the live object? Pure.

Server-side apply of something that is contained would be a write without effect. Contained means:
every desired field has its value in the live object (lists with keys are compared by key, other
lists element by element, quantities by amount), and the live object has no field that an earlier
apply of ours set and that is no longer desired. Fields that others added are theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from headrace_api import FIELD_MANAGER

Path = tuple[str, ...]
"""Steps as managedFields writes them: `f:name`, `k:{"name":"x"}`, `v:"value"`, `i:0`."""

# Lists that the API server merges by key, by the name of the field that holds them.
_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ports": ("containerPort", "protocol"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "hostAliases": ("ip",),
    "ownerReferences": ("uid",),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
_SETS = frozenset({"finalizers"})
_QUANTITY_HOLDERS = frozenset({"limits", "requests"})
_QUANTITIES = frozenset({"sizeLimit", "divisor"})
_EMPTY: tuple[Any, ...] = ("", None, False, 0)
_SUFFIXES = {
    "": Decimal(1),
    **{s: Decimal(10) ** e for s, e in zip(("n", "u", "m", "k", "M", "G", "T", "P", "E"),
                                           (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{s: Decimal(1024) ** e for s, e in zip(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"),
                                             range(1, 7), strict=True)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` differs; `taken_by` is the manager that owns it now, None if nobody else does.

    `is_ours`: the field manager `headrace` owns it, with another value.
    """

    path: Path
    taken_by: str | None = None
    is_ours: bool = False

    def __str__(self) -> str:
        return readable(self.path)


def differences(desired: Mapping[str, Any], live: Mapping[str, Any]) -> list[Difference]:
    """Everything that an apply of `desired` would change in `live`; empty: contained."""
    owners = _owners(live)
    found = [_difference(path, owners) for path in _missing(desired, live, ())]
    for path in owners.get(FIELD_MANAGER, ()):
        if not _present(desired, path):
            found.append(Difference(path, is_ours=True))
    return found


def readable(path: Path) -> str:
    """`spec.template.spec.containers[name=worker].image`"""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("k:"):
            keys = json.loads(step[2:])
            text += "[" + ",".join(f"{name}={value}" for name, value in keys.items()) + "]"
        else:
            text += f"[{step[2:]}]"
    return text.lstrip(".")


def _missing(desired: Any, live: Any, path: Path) -> Iterator[Path]:
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            if desired or live is not None:
                yield path
            return
        for name, value in desired.items():
            step = (*path, f"f:{name}")
            if name not in live:
                if not _is_empty(value):
                    yield step
            else:
                yield from _missing(value, live[name], step)
    elif isinstance(desired, list):
        yield from _missing_items(desired, live, path)
    elif desired != live and not _same_quantity(desired, live, path):
        yield path


def _missing_items(desired: list[Any], live: Any, path: Path) -> Iterator[Path]:
    if not isinstance(live, list):
        if desired:
            yield path
        return
    name = path[-1][2:]
    keys = _LIST_KEYS.get(name)
    if keys and all(isinstance(item, Mapping) and keys[0] in item for item in desired):
        by_key = {_key(item, keys): item for item in live if isinstance(item, Mapping)}
        for item in desired:
            key = _key(item, keys)
            if key not in by_key:
                yield (*path, key)
            else:
                yield from _missing(item, by_key[key], (*path, key))
    elif name in _SETS:
        yield from ((*path, f"v:{json.dumps(v)}") for v in desired if v not in live)
    elif len(desired) != len(live) or any(
        True
        for wanted, there in zip(desired, live, strict=True)
        for _ in _missing(wanted, there, (*path, "i:"))
    ):
        yield path  # an atomic list: it differs as a whole


def _key(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = {name: item.get(name, _KEY_DEFAULTS.get(name)) for name in sorted(keys)}
    return "k:" + json.dumps(values, separators=(",", ":"))


def _is_empty(value: Any) -> bool:
    return value in _EMPTY if not isinstance(value, dict | list) else not value


def _same_quantity(desired: Any, live: Any, path: Path) -> bool:
    named = [step[2:] for step in path[-2:]]
    if named[-1] not in _QUANTITIES and named[0] not in _QUANTITY_HOLDERS:
        return False
    wanted, there = _quantity(desired), _quantity(live)
    return wanted is not None and wanted == there


def _quantity(value: Any) -> Decimal | None:
    text = str(value)
    number = text.rstrip("numkMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None


def _owners(live: Mapping[str, Any]) -> dict[str, list[Path]]:
    """The leaves that each manager owns. Status and other subresources do not count."""
    owners: dict[str, list[Path]] = {}
    for entry in live.get("metadata", {}).get("managedFields", ()):
        manager, sub = entry.get("manager", ""), entry.get("subresource", "")
        if sub == "status" or (manager == FIELD_MANAGER and entry.get("operation") != "Apply"):
            continue
        owners.setdefault(manager, []).extend(_leaves(entry.get("fieldsV1", {}), ()))
    return owners


def _leaves(fields: Mapping[str, Any], path: Path) -> Iterator[Path]:
    children = [name for name in fields if name != "."]
    if not children and path:
        yield path
    for name in children:
        yield from _leaves(fields[name], (*path, name))


def _difference(path: Path, owners: Mapping[str, list[Path]]) -> Difference:
    def owns(manager: str) -> bool:
        # A differing list or object counts as taken when anything inside it was.
        return any(leaf[: len(path)] == path for leaf in owners.get(manager, ()))

    if owns(FIELD_MANAGER):
        return Difference(path, is_ours=True)
    return Difference(path, next((manager for manager in owners if owns(manager)), None))


def _present(desired: Any, path: Path) -> bool:
    """Whether a manifest has something at a managedFields path."""
    here = desired
    for depth, step in enumerate(path):
        kind, _, text = step.partition(":")
        if kind == "f":
            if not isinstance(here, Mapping) or text not in here:
                return False
            here = here[text]
        elif kind == "k" and isinstance(here, list):
            keys = json.loads(text)
            for item in here:
                if all(item.get(n, _KEY_DEFAULTS.get(n)) == v for n, v in keys.items()):
                    here = item
                    break
            else:
                return False
        elif kind == "v" and isinstance(here, list):
            return json.loads(text) in here
        else:
            return depth > 0
    return True
