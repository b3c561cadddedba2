"""Our finalizer on a pipeline: there exactly while deletionPolicy is Delete."""

from __future__ import annotations

from headrace_api import FINALIZER
from headrace_api.v1alpha1 import DeletionPolicy, StreamPipeline
from headrace_operator.kube.api_server import ApiError, ApiServer
from headrace_operator.kube.cache import Cache
from headrace_operator.kube.kinds import STREAM_PIPELINE, Manifest


def is_held(live: Manifest) -> bool:
    """Whether our finalizer keeps a pipeline from being deleted."""
    return FINALIZER in live["metadata"].get("finalizers", ())


class Finalizer:
    def __init__(self, api: ApiServer, cache: Cache) -> None:
        self._api = api
        self._cache = cache

    async def settle(self, live: Manifest, pipeline: StreamPipeline) -> Manifest:
        """Adds or removes it as the spec wants it; the pipeline as it is then.

        Raises ApiError (a conflict: the resource has changed since it was observed),
        ApiUnreachable.
        """
        wanted = pipeline.spec.deletion_policy is DeletionPolicy.DELETE
        return live if wanted == is_held(live) else await self._set(live, wanted)

    async def remove(self, live: Manifest) -> None:
        """Lets the pipeline go. Raises ApiError, ApiUnreachable."""
        await self._set(live, False)

    async def _set(self, live: Manifest, present: bool) -> Manifest:
        metadata = live["metadata"]
        others = [name for name in metadata.get("finalizers", ()) if name != FINALIZER]
        wanted = [*others, FINALIZER] if present else others
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": metadata["resourceVersion"],
            },
            {"op": "add", "path": "/metadata/finalizers", "value": wanted},
        ]
        try:
            live = await self._api.json_patch(
                STREAM_PIPELINE, metadata["namespace"], metadata["name"], operations
            )
        except ApiError as error:
            if error.is_missing:
                return live
            raise error.as_conflict() if error.is_invalid else error from None
        self._cache.put(STREAM_PIPELINE, live)
        return live
