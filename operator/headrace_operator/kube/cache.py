"""What the operator last saw of its pipelines and their children.

Filled by watch events, by periodic lists and by the answers to the operator's own writes; the
newest resourceVersion wins, so these may come in any order. Objects are found by name, or by the
key `namespace/name` of the pipeline they belong to. They are kept as text, a tenth of the size
of the dicts in it, and every look gets dicts of its own.
"""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from headrace_api import CONNECTION_KIND, GROUP, KIND
from headrace_api.names import PIPELINE_LABEL
from headrace_operator.kube.kinds import CHILDREN, POD, Kind, Manifest

Key = str
"""`namespace/name` of a StreamPipeline."""

Ref = tuple[str, str, str]
"""kind, namespace, name."""
_Of = TypeVar("_Of")
_Member = TypeVar("_Member")
REMEMBERED_DELETIONS = 20_000
# managedFields are kept only of what is applied.
APPLIED = frozenset(CHILDREN)


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


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: str
    version: int
    owner: Key | None
    uses: Ref | None
    """The RedisConnection that a pipeline names."""
    generation: int | None
    text: bytes

    def object(self) -> Manifest:
        found: Manifest = json.loads(self.text)
        return found


class Cache:
    def __init__(self) -> None:
        self._entries: dict[Ref, _Entry] = {}
        self._owned: defaultdict[Key, set[Ref]] = defaultdict(set)
        # By RedisConnection, the pipelines that name it.
        self._users: defaultdict[Ref, set[Key]] = defaultdict(set)
        # uid -> resourceVersion at which it was last seen to go, so that no late list revives it.
        # Only what is newer does: an object that merely left the watch's selector lives on.
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def pipeline(self, key: Key) -> Manifest | None:
        return self.get(KIND, *split(key))

    def pipelines(self) -> list[Key]:
        return [key_of(ref[1], ref[2]) for ref in self._entries if ref[0] == KIND]

    def connections(self) -> list[Key]:
        """`namespace/name` of each RedisConnection."""
        return [key_of(ref[1], ref[2]) for ref in self._entries if ref[0] == CONNECTION_KIND]

    def users(self, connection: Key) -> frozenset[Key]:
        """The pipelines that name this RedisConnection."""
        return frozenset(self._users.get((CONNECTION_KIND, *split(connection)), ()))

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        entry = self._entries.get((kind, namespace, name))
        return entry.object() if entry else None

    def children(self, key: Key) -> Iterator[Manifest]:
        """Every cached object that belongs to the pipeline, pods excluded."""
        owned = sorted(self._owned.get(key, ()))
        return (self._entries[ref].object() for ref in owned if ref[0] != POD.kind)

    def pods(self, key: Key) -> Iterator[Manifest]:
        owned = sorted(self._owned.get(key, ()))
        return (self._entries[ref].object() for ref in owned if ref[0] == POD.kind)

    def put(self, kind: Kind, manifest: Manifest) -> set[Key]:
        """Take in an object; returns the keys whose pipelines must look at it (none: stale)."""
        metadata = manifest["metadata"]
        ref = (kind.kind, metadata["namespace"], metadata["name"])
        known = self._entries.get(ref)
        # The API server guarantees comparable resourceVersions since 1.35; etcd's always were.
        version = int(metadata["resourceVersion"])
        if known and known.version >= version:
            return set()
        if self._deleted.get(metadata["uid"], -1) >= version:
            return set()
        self._deleted.pop(metadata["uid"], None)
        owner = None if kind.kind == KIND else owner_key(manifest)
        keys = self._forget(ref)
        if kind not in APPLIED:
            kept = {name: value for name, value in metadata.items() if name != "managedFields"}
            manifest = {**manifest, "metadata": kept}
        text = json.dumps(manifest, separators=(",", ":")).encode()
        uses, generation = _connection_of(ref, manifest), metadata.get("generation")
        self._entries[ref] = _Entry(metadata["uid"], version, owner, uses, generation, text)
        if owner is not None:
            self._owned[owner].add(ref)
        if uses is not None:
            self._users[uses].add(key_of(ref[1], ref[2]))
        before = (known.uid, known.generation) if known is not None else None
        if kind.kind == CONNECTION_KIND and before == (metadata["uid"], generation):
            return set()  # only its status changed, which is ours
        return keys | self._woken(ref, owner)

    def revive(self, kind: Kind, live: Manifest) -> None:
        """Take in an object that was read from the API server itself: it exists, whatever a watch
        with a selector has said."""
        self._deleted.pop(live["metadata"]["uid"], None)
        self.put(kind, live)

    def remove(self, kind: Kind, gone: Manifest) -> set[Key]:
        """An object was deleted, or left the selector; returns the keys whose pipelines must know.

        Without a resourceVersion it counts as deleted at the version that is known.
        """
        metadata = gone["metadata"]
        ref = (kind.kind, metadata["namespace"], metadata["name"])
        known = self._entries.get(ref)
        version = metadata.get("resourceVersion") or (known.version if known else 0)
        return self._remove(ref, metadata["uid"], int(version))

    def newest(self, kind: Kind) -> int:
        """The highest resourceVersion among the objects of this kind; 0 without any."""
        versions = (known.version for ref, known in self._entries.items() if ref[0] == kind.kind)
        return max(versions, default=0)

    def replace_all(
        self,
        kind: Kind,
        namespace: str | None,
        listed: Iterable[Manifest],
        list_version: str,
        newest_before: int = 0,
    ) -> set[Key]:
        """Take in a full list: what it lacks and is not newer than the list is gone.

        This is how a deletion surfaces that no watch has reported. `newest_before`: `newest` when
        the list was asked for. A list that is older comes from a restored backup of etcd, and then
        no version that is known says anything. Returns the changed keys.
        """
        keys: set[Key] = set()
        if int(list_version) < newest_before:
            keys |= self._begin_anew(kind, namespace)
        names = set()
        for item in listed:
            names.add((item["metadata"]["namespace"], item["metadata"]["name"]))
            keys |= self.put(kind, item)
        for ref, known in list(self._entries.items()):
            if ref[0] != kind.kind or (ref[1], ref[2]) in names:
                continue
            if namespace in (None, ref[1]) and known.version <= int(list_version):
                keys |= self._remove(ref, known.uid, int(list_version))
        return keys

    def _begin_anew(self, kind: Kind, namespace: str | None) -> set[Key]:
        self._deleted.clear()
        keys: set[Key] = set()
        for ref in list(self._entries):
            if ref[0] == kind.kind and namespace in (None, ref[1]):
                keys |= self._forget(ref)
        return keys

    def _remove(self, ref: Ref, uid: str, version: int) -> set[Key]:
        self._deleted[uid] = max(version, self._deleted.get(uid, 0))
        while len(self._deleted) > REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        known = self._entries.get(ref)
        return self._forget(ref) if known is not None and known.uid == uid else set()

    def _forget(self, ref: Ref) -> set[Key]:
        known = self._entries.pop(ref, None)
        if known is None:
            return set()
        if known.uses is not None:
            _unlink(self._users, known.uses, key_of(ref[1], ref[2]))
        if known.owner is not None:
            _unlink(self._owned, known.owner, ref)
        return self._woken(ref, known.owner)

    def _woken(self, ref: Ref, owner: Key | None) -> set[Key]:
        if ref[0] == KIND:
            return {key_of(ref[1], ref[2])}
        if ref[0] == CONNECTION_KIND:
            return set(self._users.get(ref, ()))
        return set() if owner is None else {owner}


def _unlink(index: dict[_Of, set[_Member]], of: _Of, member: _Member) -> None:
    members = index[of]
    members.discard(member)
    if not members:
        del index[of]


def _connection_of(ref: Ref, manifest: Manifest) -> Ref | None:
    """The RedisConnection that a pipeline names, as far as what is stored can be read."""
    if ref[0] != KIND:
        return None
    place: Any = manifest
    for name in ("spec", "redis", "connectionRef", "name"):
        place = place.get(name) if isinstance(place, dict) else None
    return (CONNECTION_KIND, ref[1], place) if isinstance(place, str) else None
