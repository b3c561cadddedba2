"""StreamPipeline manifests for tests: the smallest good one, and what is wrong with bad ones."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import yaml_text

CANARY = "s3cret-canary"
"""Stands where a password could be by mistake; no refusal may print it."""

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "manifests").glob("*.yaml"))

_GOOD: dict[str, Any] = {
    "apiVersion": "headrace.dev/v1alpha1",
    "kind": "StreamPipeline",
    "metadata": {"name": "flights", "namespace": "default"},
    "spec": {
        "redis": {"endpoints": ["redis:6379"]},
        "stream": {"name": "flights"},
        "groups": [{"name": "delays", "worker": {"handler": "handlers:app"}}],
    },
}

REMOVED = object()


def manifest(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """A good manifest with changes by dotted path: `{"spec.groups.0.scaling.mode": "Fixed"}`."""
    result = copy.deepcopy(_GOOD)
    for path, value in (changes or {}).items():
        target: Any = result
        *parents, last = path.split(".")
        for part in parents:
            inside = isinstance(target, list)
            target = target[int(part)] if inside else target.setdefault(part, {})
        key: Any = int(last) if isinstance(target, list) else last
        if value is REMOVED:
            del target[key]
        elif isinstance(target, list) and key == len(target):
            target.append(copy.deepcopy(value))
        else:
            target[key] = copy.deepcopy(value)
    return result


def pipelines(path: Path) -> list[dict[str, Any]]:
    """The StreamPipelines of a YAML file."""
    documents = yaml_text.load_all(path.read_text(encoding="utf-8"))
    return [document for document in documents if document["kind"] == "StreamPipeline"]


@dataclass(frozen=True)
class Refusal:
    """A bad manifest, where the refusal points and what it says. `below`: where `validate` points,
    if the server cannot."""

    name: str
    changes: dict[str, Any] = field(repr=False)
    path: str
    sentence: str
    below: str = ""


G = "spec.groups.0"
_CUSTOM = {f"{G}.worker": {"runtime": "Custom", "image": "acme/worker:1"}}
_STREAM_NAME = "takes no empty hash tag {} and no } without a tag before it"
_MODE_AUTOMATIC = "fallbackReplicas go with mode Automatic; remove them or the mode"
_ENDPOINT = "each endpoint is host:port, without scheme, user, password or path"
_URL = {"name": "redis-url", "urlKey": "url"}
_NO_ENDPOINTS = {"spec.redis.endpoints": REMOVED}
_CONNECTION = "the RedisConnection of connectionRef says where Redis is: remove all else"
_ONE_PLACE = "credentialsSecretRef.urlKey says where Redis is: remove endpoints and database"
_HEADRACE_ONLY = "handler, codeConfigMapRef, concurrency and batchSize go with runtime Headrace"
_SCHEDULE = "schedule is five cron fields such as */15 * * * *"
_DURATION = "a duration is written like 30s, 5m or 168h"
_URL_PASSWORD = "take no URL with a password in it; put the password in a Secret"

REFUSALS = [
    Refusal(
        "a name that is too long for the children",
        {"metadata.name": "a" * 53},
        "",
        "metadata.name takes at most 52 lower-case letters",
        below="metadata.name",
    ),
    Refusal(
        "a name with a dot",
        {"metadata.name": "flights.v1"},
        "",
        "metadata.name takes at most 52 lower-case letters",
        below="metadata.name",
    ),
    Refusal(
        "no endpoint",
        {"spec.redis.endpoints": REMOVED},
        "spec.redis.endpoints",
        "redis.endpoints needs at least one address, written host:port",
    ),
    Refusal(
        "an empty list of endpoints",
        {"spec.redis.endpoints": []},
        "spec.redis.endpoints",
        "redis.endpoints needs at least one address, written host:port",
    ),
    Refusal(
        "an endpoint with user and password",
        {"spec.redis.endpoints": [f"bob:{CANARY}@redis:6379"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "an endpoint that is a URL",
        {"spec.redis.endpoints": [f"redis://redis:6379/0?password={CANARY}"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "an endpoint without a port",
        {"spec.redis.endpoints": ["redis"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "an endpoint with port 65536",
        {"spec.redis.endpoints": ["redis:65536"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "an endpoint followed by a line break",
        {"spec.redis.endpoints": ["redis:6379\n"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "one endpoint twice",
        {"spec.redis.mode": "Cluster", "spec.redis.endpoints": ["a:1", "a:1"]},
        "spec.redis.endpoints",
        "redis.endpoints names an address twice; write each once",
    ),
    Refusal(
        "two endpoints in mode Standalone",
        {"spec.redis.endpoints": ["a:6379", "b:6379"]},
        "spec.redis.endpoints",
        "mode Standalone takes one endpoint",
    ),
    Refusal(
        "mode Sentinel without a master",
        {"spec.redis.mode": "Sentinel"},
        "spec.redis",
        "mode Sentinel needs sentinel.masterName, and no other mode takes sentinel",
    ),
    Refusal(
        "sentinel in mode Standalone",
        {"spec.redis.sentinel": {"masterName": "mymaster"}},
        "spec.redis",
        "mode Sentinel needs sentinel.masterName, and no other mode takes sentinel",
    ),
    Refusal(
        "a master name with a password in it",
        {
            "spec.redis.mode": "Sentinel",
            "spec.redis.sentinel": {"masterName": f"mymaster:{CANARY}@x"},
        },
        "spec.redis.sentinel.masterName",
        "sentinel.masterName takes letters, digits, dots, dashes and underscores",
    ),
    Refusal(
        "endpoints beside a connection",
        {"spec.redis.connectionRef": {"name": "shared"}},
        "spec.redis.connectionRef",
        _CONNECTION,
    ),
    *(
        Refusal(
            f"{field} beside a connection",
            {
                **_NO_ENDPOINTS,
                "spec.redis.connectionRef": {"name": "shared"},
                f"spec.redis.{field}": value,
            },
            "spec.redis.connectionRef",
            _CONNECTION,
        )
        for field, value in (
            ("mode", "Cluster"),
            ("database", 1),
            ("credentialsSecretRef", {"name": "auth"}),
            ("tls", {}),
        )
    ),
    Refusal(
        "endpoints beside a URL",
        {"spec.redis.credentialsSecretRef": _URL},
        "spec.redis.credentialsSecretRef",
        _ONE_PLACE,
    ),
    Refusal(
        "a database beside a URL",
        {**_NO_ENDPOINTS, "spec.redis.credentialsSecretRef": _URL, "spec.redis.database": 1},
        "spec.redis.credentialsSecretRef",
        _ONE_PLACE,
    ),
    Refusal(
        "a URL in mode Sentinel",
        {
            **_NO_ENDPOINTS,
            "spec.redis.mode": "Sentinel",
            "spec.redis.sentinel": {"masterName": "mymaster"},
            "spec.redis.credentialsSecretRef": _URL,
        },
        "spec.redis.credentialsSecretRef",
        "mode Sentinel takes no urlKey",
    ),
    Refusal(
        "a database in mode Cluster",
        {"spec.redis.mode": "Cluster", "spec.redis.database": 1},
        "spec.redis.database",
        "Redis Cluster has database 0 only; remove database",
    ),
    Refusal(
        "a server name with a label that DNS does not take",
        {"spec.redis.tls": {"serverName": f"{'a' * 64}.example"}},
        "spec.redis.tls.serverName",
        "tls.serverName is a DNS name with at most 63 characters between two dots",
    ),
    Refusal(
        "an endpoint with a label that DNS does not take",
        {"spec.redis.endpoints": [f"{'a' * 64}.example:6379"]},
        "spec.redis.endpoints",
        _ENDPOINT,
    ),
    Refusal(
        "two sources of CA certificates",
        {"spec.redis.tls": {"caSecretRef": {"name": "a"}, "caConfigMapRef": {"name": "b"}}},
        "spec.redis.tls",
        "give caSecretRef or caConfigMapRef, not both",
    ),
    Refusal(
        "a stream name with an empty hash tag",
        {"spec.stream.name": "{}flights"},
        "spec.stream.name",
        f"stream.name {_STREAM_NAME}",
    ),
    Refusal(
        "a stream name with an empty hash tag before another",
        {"spec.stream.name": "{}{flights}"},
        "spec.stream.name",
        f"stream.name {_STREAM_NAME}",
    ),
    Refusal(
        "a stream name with a closing brace and no tag",
        {"spec.stream.name": "fli}ghts"},
        "spec.stream.name",
        f"stream.name {_STREAM_NAME}",
    ),
    Refusal(
        "a stream name with a line break",
        {"spec.stream.name": "flights\n"},
        "spec.stream.name",
        f"stream.name {_STREAM_NAME}",
    ),
    Refusal(
        "trimming to nothing in particular",
        {"spec.stream.trim": {"policy": "Safe"}},
        "spec.stream.trim",
        "trim needs maxLength, maxAge or both",
    ),
    Refusal(
        "a trim schedule with a time zone in it",
        {"spec.stream.trim": {"maxLength": 10, "schedule": "CRON_TZ=UTC 0 * * * *"}},
        "spec.stream.trim.schedule",
        _SCHEDULE,
    ),
    Refusal(
        "a trim schedule of four fields",
        {"spec.stream.trim": {"maxLength": 10, "schedule": "0 * * *"}},
        "spec.stream.trim.schedule",
        _SCHEDULE,
    ),
    Refusal(
        "days as a unit",
        {"spec.stream.trim": {"maxAge": "7d"}},
        "spec.stream.trim.maxAge",
        _DURATION,
    ),
    Refusal(
        "an age longer than ten years",
        {"spec.stream.trim": {"maxAge": "99999h"}},
        "spec.stream.trim.maxAge",
        "must be a duration between 1s and 87600h",
    ),
    Refusal(
        "dead letters into the stream itself",
        {"spec.deadLetter.stream": "flights"},
        "spec.deadLetter",
        "deadLetter.stream must not be the pipeline's own stream",
    ),
    Refusal(
        "dead letters into a name that is no stream's",
        {"spec.deadLetter.stream": "dead}"},
        "spec.deadLetter.stream",
        f"deadLetter.stream {_STREAM_NAME}",
    ),
    Refusal(
        "dead letters in another slot of the cluster",
        {"spec.redis.mode": "Cluster", "spec.deadLetter.stream": "dead"},
        "spec.deadLetter",
        "in mode Cluster deadLetter.stream must share the stream's hash slot",
    ),
    Refusal(
        "two groups with one Redis name",
        {
            f"{G}.consumerGroup": "audit",
            "spec.groups.1": {"name": "audit", "worker": {"handler": "a:b"}},
        },
        "spec.groups",
        "two groups use the same consumerGroup; give each its own",
    ),
    Refusal(
        "a group name that is no label",
        {f"{G}.name": "Svc:Orders"},
        "spec.groups[0].name",
        "another name in Redis goes into consumerGroup",
    ),
    *(
        Refusal(
            f"a Redis name with {name}",
            {f"{G}.consumerGroup": f"delays{character}"},
            "spec.groups[0].consumerGroup",
            "consumerGroup takes no control characters, no invisible ones",
        )
        for name, character in {
            "a line break": "\n",
            "a next-line character": "\u0085",
            "a no-break space": "\u00a0",
            "a zero-width space": "\u200b",
            "an ideographic space": "\u3000",
            "a character of private use": "\ue000",
        }.items()
    ),
    Refusal(
        "an id without from: Id",
        {f"{G}.start": {"id": "1-1"}},
        "spec.groups[0].start",
        "id goes with from: Id, and from: Id needs it",
    ),
    Refusal(
        "from: Id without an id",
        {f"{G}.start": {"from": "Id"}},
        "spec.groups[0].start",
        "id goes with from: Id, and from: Id needs it",
    ),
    Refusal(
        "an id that is none",
        {f"{G}.start": {"from": "Id", "id": "yesterday"}},
        "spec.groups[0].start.id",
        "id is an entry id such as 1526919030474-55",
    ),
    Refusal(
        "runtime Headrace without a handler",
        {f"{G}.worker": {"runtime": "Headrace"}},
        "spec.groups[0].worker.handler",
        "runtime Headrace needs handler, written module:attribute",
    ),
    Refusal(
        "an empty worker",
        {f"{G}.worker": {}},
        "spec.groups[0].worker.handler",
        "runtime Headrace needs handler, written module:attribute",
    ),
    Refusal(
        "a handler that is a file",
        {f"{G}.worker.handler": "handlers.py"},
        "spec.groups[0].worker.handler",
        "handler is module:attribute, such as handlers:app",
    ),
    Refusal(
        "runtime Custom without an image",
        {f"{G}.worker": {"runtime": "Custom"}},
        "spec.groups[0].worker.image",
        "runtime Custom needs image",
    ),
    Refusal(
        "runtime Custom with a handler",
        {**_CUSTOM, f"{G}.worker.handler": "handlers:app"},
        "spec.groups[0].worker",
        _HEADRACE_ONLY,
    ),
    Refusal(
        "runtime Custom with Headrace's default concurrency written out",
        {**_CUSTOM, f"{G}.worker.concurrency": 16},
        "spec.groups[0].worker",
        _HEADRACE_ONLY,
    ),
    Refusal(
        "runtime Custom with deduplication",
        {**_CUSTOM, f"{G}.delivery": {"deduplicate": {}}},
        "spec.groups[0].delivery",
        "delivery.maxCrashes, backoff, onUnknownType, deduplicate and replicas go with runtime",
    ),
    Refusal(
        "runtime Custom with outputs",
        {**_CUSTOM, f"{G}.outputs": [{"stream": "late"}]},
        "spec.groups[0].outputs",
        "outputs go with runtime Headrace",
    ),
    Refusal(
        "an image with credentials",
        {f"{G}.worker.image": f"bob:{CANARY}@registry.example.com/worker"},
        "spec.groups[0].worker.image",
        "image is registry/name:tag or registry/name@sha256:digest, without scheme or credentials",
    ),
    Refusal(
        "a password in a URL in env",
        {f"{G}.worker.env": [{"name": "DB", "value": f"postgres://bob:{CANARY}@db/orders"}]},
        "spec.groups[0].worker.env",
        _URL_PASSWORD,
    ),
    Refusal(
        "a password in a URL in args",
        {f"{G}.worker.args": ["--redis", f"redis://:{CANARY}@redis:6379"]},
        "spec.groups[0].worker.env",
        _URL_PASSWORD,
    ),
    Refusal(
        "a variable that is Headrace's",
        {f"{G}.worker.env": [{"name": "HEADRACE_CONFIG", "value": CANARY}]},
        "spec.groups[0].worker.env",
        "environment variables HEADRACE_* belong to Headrace",
    ),
    Refusal(
        "a variable with a value and a source",
        {
            f"{G}.worker.env": [
                {
                    "name": "A",
                    "value": CANARY,
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                }
            ]
        },
        "spec.groups[0].worker.env[0]",
        "give value or valueFrom, not both",
    ),
    Refusal(
        "a variable from nowhere",
        {f"{G}.worker.env": [{"name": "A", "valueFrom": {}}]},
        "spec.groups[0].worker.env[0].valueFrom",
        "valueFrom takes exactly one of secretKeyRef, configMapKeyRef, fieldRef",
    ),
    Refusal(
        "envFrom from nowhere",
        {f"{G}.worker.envFrom": [{"prefix": "A_"}]},
        "spec.groups[0].worker.envFrom[0]",
        "envFrom takes secretRef or configMapRef, exactly one of them",
    ),
    Refusal(
        "a mount over Headrace's files",
        {
            f"{G}.worker.volumeMounts": [{"name": "v", "mountPath": "/etc/headrace/config"}],
            f"{G}.worker.podTemplate": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
        },
        "spec.groups[0].worker.volumeMounts",
        "mountPath /etc/headrace belongs to Headrace",
    ),
    Refusal(
        "a mount of no volume",
        {f"{G}.worker.volumeMounts": [{"name": "v", "mountPath": "/data"}]},
        "spec.groups[0].worker.volumeMounts",
        "every volumeMounts[].name must name a volume of podTemplate.spec.volumes",
    ),
    Refusal(
        "a volume that is Headrace's",
        {f"{G}.worker.podTemplate.spec.volumes": [{"name": "headrace-x", "emptyDir": {}}]},
        "spec.groups[0].worker.podTemplate",
        "volumes headrace-* belong to Headrace",
    ),
    Refusal(
        "a volume of nothing",
        {f"{G}.worker.podTemplate.spec.volumes": [{"name": "v"}]},
        "spec.groups[0].worker.podTemplate.spec.volumes[0]",
        "a volume takes exactly one of configMap, secret, emptyDir",
    ),
    Refusal(
        "a label that is Headrace's",
        {f"{G}.worker.podTemplate.metadata.labels": {"headrace.dev/group": "x"}},
        "spec.groups[0].worker.podTemplate.metadata",
        "labels and annotations headrace.dev/*",
    ),
    Refusal(
        "a first pause longer than the longest",
        {f"{G}.delivery.backoff": {"initial": "2m"}},
        "spec.groups[0].delivery.backoff",
        "backoff.initial must not exceed backoff.max (60s where it is not given)",
    ),
    Refusal(
        "an idle time below a second",
        {f"{G}.delivery.minIdle": "500ms"},
        "spec.groups[0].delivery.minIdle",
        "must be a duration between 1s and 24h",
    ),
    Refusal(
        "a duration without a unit",
        {f"{G}.delivery.minIdle": "60"},
        "spec.groups[0].delivery.minIdle",
        _DURATION,
    ),
    Refusal(
        "mode Fixed without replicas",
        {f"{G}.scaling": {"mode": "Fixed"}},
        "spec.groups[0].scaling",
        "mode Fixed needs replicas, and no other mode takes it",
    ),
    Refusal(
        "replicas without mode Fixed",
        {f"{G}.scaling": {"replicas": 3}},
        "spec.groups[0].scaling",
        "mode Fixed needs replicas, and no other mode takes it",
    ),
    Refusal(
        "mode Fixed with maxReplicas",
        {f"{G}.scaling": {"mode": "Fixed", "replicas": 3, "maxReplicas": 7}},
        "spec.groups[0].scaling",
        _MODE_AUTOMATIC,
    ),
    Refusal(
        "mode External with a target",
        {f"{G}.scaling": {"mode": "External", "targetBacklog": 100}},
        "spec.groups[0].scaling",
        _MODE_AUTOMATIC,
    ),
    Refusal(
        "a minimum above the maximum that is not written",
        {f"{G}.scaling": {"minReplicas": 11}},
        "spec.groups[0].scaling",
        "minReplicas must not exceed maxReplicas (10 where it is not given)",
    ),
    Refusal(
        "a fallback above the maximum",
        {f"{G}.scaling": {"maxReplicas": 2, "fallbackReplicas": 3}},
        "spec.groups[0].scaling",
        "fallbackReplicas must not exceed maxReplicas",
    ),
    Refusal(
        "a reclaim schedule that is none",
        {f"{G}.reclaim": {"schedule": "often"}},
        "spec.groups[0].reclaim.schedule",
        _SCHEDULE,
    ),
    Refusal(
        "an output into the stream itself",
        {f"{G}.outputs": [{"stream": "flights"}]},
        "spec.groups",
        "outputs must not name the pipeline's own stream",
    ),
    Refusal(
        "an output into the dead letters",
        {"spec.deadLetter.stream": "dead", f"{G}.outputs": [{"stream": "dead"}]},
        "spec.groups",
        "outputs must not name the stream of dead letters",
    ),
    Refusal(
        "an output with an empty hash tag",
        {f"{G}.outputs": [{"stream": "a{}"}]},
        "spec.groups[0].outputs[0].stream",
        f"outputs[].stream {_STREAM_NAME}",
    ),
    Refusal(
        "a schedule at a time that does not exist",
        {"spec.stream.trim": {"maxLength": 10, "schedule": "61 25 * * *"}},
        "spec.stream.trim.schedule",
        _SCHEDULE,
    ),
    Refusal(
        "a time zone that is none",
        {"spec.stream.trim": {"maxLength": 10, "timeZone": "UTC+2:00"}},
        "spec.stream.trim.timeZone",
        "timeZone is a name of the time zone database",
    ),
    Refusal(
        "the time zone of whatever machine it is",
        {"spec.stream.trim": {"maxLength": 10, "timeZone": "Local"}},
        "spec.stream.trim.timeZone",
        "timeZone is a name of the time zone database",
    ),
    *(
        Refusal(
            f"an endpoint that no host can have: {endpoint}",
            {"spec.redis.endpoints": [endpoint]},
            "spec.redis.endpoints",
            _ENDPOINT,
        )
        for endpoint in ("a..b:1", "999.999.999.999:1", "[:::::]:1", "1.2.3:1", "-a:1", "a:0")
    ),
    *(
        Refusal(
            f"a start at an id that Redis does not have: {entry_id}",
            {f"{G}.start": {"from": "Id", "id": entry_id}},
            "spec.groups[0].start.id",
            "id is an entry id such as 1526919030474-55",
        )
        for entry_id in ("18446744073709551616-0", "0005-0", "5-01")
    ),
    Refusal(
        "a request above its limit",
        {f"{G}.worker.resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}},
        "spec.groups[0].worker.resources",
        "a request must not be larger than the limit of the same resource",
    ),
    Refusal(
        "a resource that Kubernetes does not have",
        {f"{G}.worker.resources": {"limits": {"ram": "1Gi"}}},
        "spec.groups[0].worker.resources",
        "resources are cpu, memory, ephemeral-storage",
    ),
    Refusal(
        "an environment variable with a space",
        {f"{G}.worker.env": [{"name": "A B", "value": "1"}]},
        "spec.groups[0].worker.env",
        "names of environment variables take letters",
    ),
    Refusal(
        "a label value with a space",
        {f"{G}.worker.podTemplate.metadata.labels": {"team": "a b"}},
        "spec.groups[0].worker.podTemplate.metadata",
        "keys of labels and annotations, and values of labels",
    ),
    Refusal(
        "an annotation whose key is none",
        {f"{G}.worker.podTemplate.metadata.annotations": {"a b": "1"}},
        "spec.groups[0].worker.podTemplate.metadata",
        "keys of labels and annotations, and values of labels",
    ),
]

R = f"{G}.worker.resources"
ACCEPTED: dict[str, dict[str, Any]] = {
    "a URL": {**_NO_ENDPOINTS, "spec.redis.credentialsSecretRef": _URL},
    "a connection": {"spec.redis": {"connectionRef": {"name": "shared"}, "dataLoss": "Accept"}},
    **{
        f"endpoint {endpoint}": {"spec.redis.endpoints": [endpoint]}
        for endpoint in (
            "redis:6379",
            "redis-0.redis.data.svc.cluster.local:65535",
            "1redis:1",
            "10.0.0.255:6379",
            "[::1]:6379",
            "[2001:db8::8a2e:370:7334]:6379",
            "[fe80:1:2:3:4:5:6:7]:6379",
        )
    },
    **{
        f"schedule {schedule}": {"spec.stream.trim": {"maxLength": 10, "schedule": schedule}}
        for schedule in ("0,30 8-18 1 JAN-MAR mon-fri", "3-59/15 * * * *", "@daily", "5 04 ? * 0")
    },
    **{
        f"time zone {zone}": {"spec.stream.trim": {"maxLength": 10, "timeZone": zone}}
        for zone in ("UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "Europe/Berlin")
    },
    "the largest id": {
        f"{G}.start": {"from": "Id", "id": "18446744073709551615-18446744073709551615"}
    },
    "a request that is its limit, written in another unit": {
        R: {"requests": {"memory": "1024Mi", "cpu": 1}, "limits": {"memory": "1Gi", "cpu": "1000m"}}
    },
    "quantities of every form": {
        R: {"limits": {"memory": "1e3", "cpu": "0.5", "hugepages-2Mi": 4, "example.com/gpu": "2"}}
    },
    "names of variables with dots and dashes": {
        f"{G}.worker.env": [{"name": "_a.B-1", "value": ""}]
    },
    "labels with prefixes and without values": {
        f"{G}.worker.podTemplate.metadata": {
            "labels": {"example.com/team": "a_b.C-1", "tier": ""},
            "annotations": {"sidecar.istio.io/inject": "false"},
        }
    },
}
"""Changes that leave a manifest good: what patterns must not refuse."""
