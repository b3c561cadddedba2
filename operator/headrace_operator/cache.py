"""What the operator last saw of its pipelines and their children: plain dicts, no copies.

Filled by watch events, by periodic lists and by the answers to the operator's own writes; the
newest resourceVersion wins, so these may come in any order. Objects are found by name, or by the
key ``namespace/name`` of the pipeline they belong to. Callers must not change what they get.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator

from headrace_api import GROUP, KIND
from headrace_api.names import PIPELINE_LABEL
from headrace_operator.kinds import POD, Kind, Manifest

Key = str
"""``namespace/name`` of a StreamPipeline."""

Ref = tuple[str, str, str]  # kind, namespace, name
REMEMBERED_DELETIONS = 20_000


def key_of(namespace: str, name: str) -> Key:
    return f"{namespace}/{name}"


def split(key: Key) -> tuple[str, str]:
    namespace, _, name = key.partition("/")
    return namespace, name


def owner_key(child: Manifest) -> Key | None:
    """The pipeline a child belongs to: by its controller, else by label (pods, ReplicaSets)."""
    metadata = child["metadata"]
    for reference in metadata.get("ownerReferences", ()):
        group = reference["apiVersion"].partition("/")[0]
        if reference.get("controller") and (group, reference["kind"]) == (GROUP, KIND):
            return key_of(metadata["namespace"], reference["name"])
    label = (metadata.get("labels") or {}).get(PIPELINE_LABEL)
    return key_of(metadata["namespace"], label) if label else None


class Cache:
    def __init__(self) -> None:
        self._objects: dict[Ref, Manifest] = {}
        self._owned: defaultdict[Key, set[Ref]] = defaultdict(set)
        self._deleted: OrderedDict[str, None] = OrderedDict()  # uids, so that no list revives them

    def pipeline(self, key: Key) -> Manifest | None:
        return self._objects.get((KIND, *split(key)))

    def pipelines(self) -> list[Key]:
        return [key_of(ref[1], ref[2]) for ref in self._objects if ref[0] == KIND]

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self._objects.get((kind, namespace, name))

    def children(self, key: Key) -> Iterator[Manifest]:
        """Every cached object that belongs to the pipeline, pods excluded."""
        return (self._objects[ref] for ref in self._owned.get(key, ()) if ref[0] != POD.kind)

    def pods(self, key: Key) -> Iterator[Manifest]:
        return (self._objects[ref] for ref in self._owned.get(key, ()) if ref[0] == POD.kind)

    def put(self, kind: Kind, seen: Manifest) -> set[Key]:
        """Take in an object; returns the keys whose pipelines must look at it (none: stale)."""
        metadata = seen["metadata"]
        ref = (kind.kind, metadata["namespace"], metadata["name"])
        known = self._objects.get(ref)
        if metadata["uid"] in self._deleted or (known and _version(known) >= _version(seen)):
            return set()
        keys = self._unlink(ref, known)
        self._objects[ref] = seen
        return keys | self._link(ref, seen)

    def remove(self, kind: Kind, gone: Manifest) -> set[Key]:
        """An object was deleted; returns the keys whose pipelines must know."""
        metadata = gone["metadata"]
        ref = (kind.kind, metadata["namespace"], metadata["name"])
        self._deleted[metadata["uid"]] = None
        while len(self._deleted) > REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        known = self._objects.get(ref)
        if known is None or known["metadata"]["uid"] != metadata["uid"]:
            return set()
        del self._objects[ref]
        return self._unlink(ref, known)

    def replace_all(
        self, kind: Kind, namespace: str | None, listed: Iterable[Manifest], list_version: str
    ) -> set[Key]:
        """Take in a full list: what it lacks and is not newer than the list is gone.

        This is how a deletion surfaces that no watch has reported. Returns the changed keys.
        """
        keys: set[Key] = set()
        names = set()
        for item in listed:
            names.add((item["metadata"]["namespace"], item["metadata"]["name"]))
            keys |= self.put(kind, item)
        for ref, known in list(self._objects.items()):
            if ref[0] != kind.kind or (ref[1], ref[2]) in names:
                continue
            if namespace in (None, ref[1]) and _version(known) <= int(list_version):
                keys |= self.remove(kind, known)
        return keys

    def _link(self, ref: Ref, seen: Manifest) -> set[Key]:
        if ref[0] == KIND:
            return {key_of(ref[1], ref[2])}
        key = owner_key(seen)
        if key is None:
            return set()
        self._owned[key].add(ref)
        return {key}

    def _unlink(self, ref: Ref, known: Manifest | None) -> set[Key]:
        if known is None:
            return set()
        if ref[0] == KIND:
            return {key_of(ref[1], ref[2])}
        key = owner_key(known)
        if key is None:
            return set()
        owned = self._owned[key]
        owned.discard(ref)
        if not owned:
            del self._owned[key]
        return {key}


def _version(seen: Manifest) -> int:
    # The API server guarantees comparable resourceVersions since 1.35; etcd's always were.
    return int(seen["metadata"]["resourceVersion"])
