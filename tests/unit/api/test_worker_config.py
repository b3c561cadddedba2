"""A worker is told what it reads and nothing else: other changes must not roll its pods."""

import json

import pytest
from tests.support.manifests import EXAMPLES, manifest, pipelines

from headrace_api.v1alpha1 import Delivery, StreamPipeline
from headrace_api.worker_config import TrimConfig, WorkerConfig


def config(changes=None) -> WorkerConfig:
    pipeline = StreamPipeline.model_validate(manifest(changes))
    return WorkerConfig.from_pipeline(pipeline, pipeline.spec.groups[0])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_configuration_of_every_example_survives_the_file(path) -> None:
    for written in pipelines(path):
        pipeline = StreamPipeline.model_validate(written)
        for group in pipeline.spec.groups:
            told = WorkerConfig.from_pipeline(pipeline, group)
            assert WorkerConfig.model_validate_json(told.canonical_json()) == told
        trim = TrimConfig.from_pipeline(pipeline)
        assert trim is None or TrimConfig.model_validate_json(trim.canonical_json()) == trim


G = "spec.groups.0"


@pytest.mark.parametrize(
    "changes",
    [
        {f"{G}.scaling": {"maxReplicas": 50}},
        {f"{G}.reclaim": {"schedule": "0 * * * *"}},
        {"spec.stream.trim": {"maxLength": 10}},
        {"spec.suspend": True},
        {"spec.deletionPolicy": "Delete"},
        {f"{G}.worker.resources": {"limits": {"memory": "1Gi"}}},
        {f"{G}.worker.podTemplate": {"metadata": {"labels": {"team": "a"}}}},
        {"spec.groups.1": {"name": "audit", "worker": {"handler": "audit:app"}}},
        {f"{G}.delivery": {"minIdle": "60s", "backoff": {"max": "1m"}}},
        {f"{G}.worker.concurrency": 16},
    ],
    ids=str,
)
def test_a_change_that_the_worker_does_not_read_keeps_its_hash(changes) -> None:
    assert config(changes).content_hash() == config().content_hash()


@pytest.mark.parametrize(
    "changes",
    [
        {f"{G}.worker.concurrency": 17},
        {f"{G}.worker.handler": "other:app"},
        {f"{G}.worker.codeConfigMapRef": {"name": "code"}},
        {f"{G}.delivery": {"maxRetries": 4}},
        {f"{G}.outputs": [{"stream": "late"}]},
        {f"{G}.reclaim": {"count": 51}},
        {"spec.redis.database": 1},
        {"spec.redis.tls": {}},
        {"spec.redis.credentialsSecretRef": {"name": "auth"}},
        {"spec.deadLetter.stream": "dead"},
        {"metadata.namespace": "other"},
        {"metadata.uid": "other"},
    ],
    ids=str,
)
def test_a_change_that_the_worker_reads_changes_its_hash(changes) -> None:
    assert config(changes).content_hash() != config().content_hash()


def test_the_order_of_outputs_does_not_matter() -> None:
    one = [{"stream": "a"}, {"stream": "b"}]
    assert (
        config({f"{G}.outputs": one}).content_hash()
        == config({f"{G}.outputs": one[::-1]}).content_hash()
    )


def test_the_worker_is_told_files_and_never_credentials() -> None:
    told = json.loads(
        config(
            {
                "metadata.namespace": "airport",
                "spec.redis": {
                    "mode": "Sentinel",
                    "endpoints": ["sentinel:26379"],
                    "credentialsSecretRef": {"name": "redis-auth", "passwordKey": "pw"},
                    "sentinel": {"masterName": "m", "credentialsSecretRef": {"name": "s-auth"}},
                    "tls": {
                        "caConfigMapRef": {"name": "ca"},
                        "clientCertificateSecretRef": {"name": "client"},
                        "serverName": "redis.example.com",
                    },
                },
            }
        ).canonical_json()
    )
    assert told["redis"] == {
        "mode": "Sentinel",
        "endpoints": ["sentinel.airport.svc:26379"],
        "database": 0,
        "sentinelMaster": "m",
        "credentialsDir": "/etc/headrace/credentials/redis",
        "sentinelCredentialsDir": "/etc/headrace/credentials/sentinel",
        "tls": {
            "caFile": "/etc/headrace/tls/ca/ca.crt",
            "certFile": "/etc/headrace/tls/client/tls.crt",
            "keyFile": "/etc/headrace/tls/client/tls.key",
            "serverName": "redis.example.com",
        },
    }
    assert "auth" not in json.dumps(told)


def test_tls_without_a_ca_uses_the_systems() -> None:
    tls = config({"spec.redis.tls": {}}).redis.tls
    assert tls is not None
    assert (tls.ca_file, tls.cert_file, tls.key_file, tls.server_name) == (None,) * 4


def test_every_default_is_written_out() -> None:
    told = json.loads(config().canonical_json())
    assert (told["concurrency"], told["batchSize"], told["reclaimCount"]) == (16, 100, 50)
    assert told["delivery"]["handlerTimeout"] == "30s"
    assert told["deadLetter"]["stream"] == "headrace:{flights}:dead:flights"
    assert told["start"] == {"from": "Beginning", "id": None}


def test_a_field_that_the_worker_does_not_know_is_refused() -> None:
    told = json.loads(config().canonical_json()) | {"fromTheFuture": 1}
    with pytest.raises(ValueError, match="fromTheFuture"):
        WorkerConfig.model_validate(told)


def test_trimming_waits_for_every_group_by_its_name_in_redis() -> None:
    pipeline = StreamPipeline.model_validate(
        manifest(
            {
                "spec.stream.trim": {"maxAge": "168h", "ignoreGroups": ["old"]},
                "spec.groups.0.consumerGroup": "Svc:Delays",
            }
        )
    )
    trim = TrimConfig.from_pipeline(pipeline)
    assert trim is not None
    assert (trim.groups, trim.ignore_groups) == (("Svc:Delays",), ("old",))
    assert (trim.policy, trim.max_length, trim.max_age_seconds) == ("Safe", None, 604800)
    assert TrimConfig.from_pipeline(StreamPipeline.model_validate(manifest())) is None


def test_a_worker_older_than_a_field_is_not_told_of_it_unless_it_is_set() -> None:
    assert "replicas" not in Delivery().model_dump(mode="json", by_alias=True)
    asked = Delivery.model_validate({"replicas": 1})
    assert asked.model_dump(mode="json", by_alias=True)["replicas"] == 1
