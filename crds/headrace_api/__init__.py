"""The contract between people, the API server, the operator and the workers.

Nothing in here talks to a server: models, names, paths and checks only.
"""

GROUP = "headrace.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "StreamPipeline"
PLURAL = "streampipelines"
SINGULAR = "streampipeline"
SHORT_NAMES = ("spl",)
CATEGORIES = ("headrace",)

CONNECTION_KIND = "RedisConnection"
CONNECTION_PLURAL = "redisconnections"
CONNECTION_SINGULAR = "redisconnection"
CONNECTION_SHORT_NAMES = ("rcon",)

FIELD_MANAGER = "headrace"
"""The one field manager of every server-side apply."""

FINALIZER = "headrace.dev/cleanup"
