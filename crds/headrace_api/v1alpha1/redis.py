"""How to reach Redis. Credentials come from Secrets and from nowhere else."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field

from headrace_api.patterns import CERTIFIED_NAME, ENDPOINT
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.scalars import Name, atomic, integer

_ENDPOINT_SHAPE = re.compile(ENDPOINT.replace("$", r"\Z"))
_CERTIFIED_NAME_SHAPE = re.compile(CERTIFIED_NAME.replace("$", r"\Z"))
_HAS_ENDPOINTS = "has(self.endpoints) && self.endpoints.size() > 0"
_NEEDS_ENDPOINTS = "redis.endpoints needs at least one address, written host:port"
_HAS_URL = "has(self.credentialsSecretRef) && has(self.credentialsSecretRef.urlKey)"
_MASTER = r"^[A-Za-z0-9._-]+$"


class RedisMode(StrEnum):
    """How the server is run."""

    STANDALONE = "Standalone"
    SENTINEL = "Sentinel"
    CLUSTER = "Cluster"


class DataLoss(StrEnum):
    """What is to be said of a Redis that can lose events by itself."""

    WARN = "Warn"
    ACCEPT = "Accept"


class CredentialsSecretRef(Shape):
    """A Secret of the pipeline's namespace with a password and, for ACL users, a user name."""

    name: Name = Field(description="Name of the Secret.")
    username_key: Name = Field(
        "username",
        description="Key of the user name. Without this key in the Secret, Redis's default user.",
    )
    password_key: Name = Field("password", description="Key of the password.")


class RedisSecretRef(CredentialsSecretRef):
    """A Secret of the pipeline's namespace with a password and, for ACL users, a user name; or with
    a whole URL."""

    url_key: Name | None = Field(
        None,
        description=(
            "Key of a whole URL, redis://user:password@host:port/database or rediss:// for TLS, as"
            " managed Redis hands it out: instead of endpoints and database, in mode Standalone or"
            " Cluster. usernameKey and passwordKey are then not read. Host, port and database are"
            " copied into the workers' configuration, user and password are not."
        ),
    )


class Sentinel(Shape):
    """What mode Sentinel needs besides the endpoints of the sentinels."""

    master_name: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="Name that the sentinels give to the master."
    )
    credentials_secret_ref: CredentialsSecretRef | None = Field(
        None, description="Credentials of the sentinels themselves, where they ask for any."
    )

    rules = (
        Rule(
            f"self.masterName.matches('{_MASTER}')",
            "sentinel.masterName takes letters, digits, dots, dashes and underscores",
            lambda s: re.fullmatch(_MASTER[1:-1], s.master_name) is not None,
            field="masterName",
            reason="FieldValueForbidden",
        ),
    )


class CaRef(Shape):
    """The CA certificates, in PEM, that the server's certificate is checked against."""

    name: Name = Field(description="Name of the Secret or ConfigMap.")
    key: Name = Field("ca.crt", description="Key of the certificates.")


class ClientCertificateSecretRef(Shape):
    """A Secret of type kubernetes.io/tls: keys tls.crt and tls.key."""

    name: Name = Field(description="Name of the Secret.")


class Tls(Shape):
    """TLS to Redis. That this object is present turns TLS on; `tls: {}` uses the system's CAs."""

    ca_secret_ref: CaRef | None = Field(None, description="CA certificates in a Secret.")
    ca_config_map_ref: CaRef | None = Field(None, description="CA certificates in a ConfigMap.")
    client_certificate_secret_ref: ClientCertificateSecretRef | None = Field(
        None, description="Client certificate and key, where the server asks for one."
    )
    server_name: Name | None = Field(
        None, description="Name to expect in the certificate, when it is not the endpoint's host."
    )

    rules = (
        Rule(
            "!(has(self.caSecretRef) && has(self.caConfigMapRef))",
            "give caSecretRef or caConfigMapRef, not both",
            lambda tls: tls.ca_secret_ref is None or tls.ca_config_map_ref is None,
        ),
        Rule(
            f"!has(self.serverName) || self.serverName.matches(r'{CERTIFIED_NAME}')",
            "tls.serverName is a DNS name with at most 63 characters between two dots, or an IP"
            " address, as the server's certificate has it",
            lambda tls: (
                tls.server_name is None or _CERTIFIED_NAME_SHAPE.match(tls.server_name) is not None
            ),
            field="serverName",
            reason="FieldValueForbidden",
        ),
    )


class ConnectionRef(Shape):
    """A RedisConnection of the pipeline's namespace."""

    name: Name = Field(description="Name of the RedisConnection.")


class RedisPlace(Shape):
    """Where Redis (7.0 or newer) or Valkey (8 or newer) is and how to connect to it."""

    mode: RedisMode = Field(
        RedisMode.STANDALONE, description="Standalone, Sentinel or Cluster: how the server is run."
    )
    endpoints: Annotated[tuple[Annotated[str, Field(max_length=260)], ...], atomic(at_most=16)] = (
        Field(
            (),
            description=(
                "One to 16 addresses as host:port: the server, the sentinels (mode Sentinel) or"
                " seeds (mode Cluster). A host without a dot means <host>.<this namespace>.svc."
            ),
        )
    )
    database: Annotated[int, integer(0, 65535)] = Field(0, description="Number of the database.")
    credentials_secret_ref: RedisSecretRef | None = Field(
        None, description="Secret with the credentials; connects without any when absent."
    )
    sentinel: Sentinel | None = Field(None, description="Goes with mode Sentinel, and only there.")
    tls: Tls | None = Field(
        None, description="TLS settings; present means TLS, absent means plain TCP."
    )

    data_loss: DataLoss = Field(
        DataLoss.WARN,
        description=(
            "Warn: the condition PersistenceRisk tells when this Redis can lose events by itself"
            " (no persistence and no replica, a policy that evicts streams). Accept: it does not."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"{_HAS_ENDPOINTS} || {_HAS_URL}",
            _NEEDS_ENDPOINTS,
            lambda r: len(r.endpoints) > 0 or r.url_key is not None,
            field="endpoints",
            reason="FieldValueRequired",
        ),
        Rule(
            f"!has(self.endpoints) || self.endpoints.all(e, e.matches(r'{ENDPOINT}'))",
            "each endpoint is host:port, without scheme, user, password or path; put credentials in"
            " a Secret and name it in credentialsSecretRef",
            lambda r: all(_ENDPOINT_SHAPE.match(endpoint) for endpoint in r.endpoints),
            field="endpoints",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.endpoints) || self.endpoints.all(e, self.endpoints.exists_one(o, o == e))",
            "redis.endpoints names an address twice; write each once",
            lambda r: len(set(r.endpoints)) == len(r.endpoints),
            field="endpoints",
            reason="FieldValueForbidden",
        ),
        Rule(
            "self.mode != 'Standalone' || !has(self.endpoints) || self.endpoints.size() <= 1",
            "mode Standalone takes one endpoint; several go with mode Sentinel or Cluster",
            lambda r: r.mode is not RedisMode.STANDALONE or len(r.endpoints) <= 1,
            field="endpoints",
            reason="FieldValueForbidden",
        ),
        Rule(
            f"!({_HAS_URL}) || !({_HAS_ENDPOINTS}) && self.database == 0",
            "credentialsSecretRef.urlKey says where Redis is: remove endpoints and database, or"
            " remove urlKey",
            lambda r: r.url_key is None or (not r.endpoints and r.database == 0),
            field="credentialsSecretRef",
            reason="FieldValueForbidden",
        ),
        Rule(
            f"!({_HAS_URL}) || self.mode != 'Sentinel'",
            "mode Sentinel takes no urlKey: a URL names one server; write the sentinels in"
            " endpoints, and user and password under keys of their own",
            lambda r: r.url_key is None or r.mode is not RedisMode.SENTINEL,
            field="credentialsSecretRef",
            reason="FieldValueForbidden",
        ),
        Rule(
            "(self.mode == 'Sentinel') == has(self.sentinel)",
            "mode Sentinel needs sentinel.masterName, and no other mode takes sentinel",
            lambda r: (r.mode is RedisMode.SENTINEL) == (r.sentinel is not None),
        ),
        Rule(
            "self.mode != 'Cluster' || self.database == 0",
            "Redis Cluster has database 0 only; remove database",
            lambda r: r.mode is not RedisMode.CLUSTER or r.database == 0,
            field="database",
        ),
    )

    @property
    def url_key(self) -> str | None:
        """Key of the Secret that says where Redis is; None where `endpoints` does."""
        ref = self.credentials_secret_ref
        return ref.url_key if ref is not None else None

    def at(self, endpoint: str, database: int, *, tls: bool) -> Self:
        """The same, with what a URL says of it. Raises ValueError for what `endpoints` refuses."""
        if not _ENDPOINT_SHAPE.match(endpoint):
            raise ValueError("its host is neither a DNS name nor an address, or its port is wrong")
        if not 0 <= database <= (0 if self.mode is RedisMode.CLUSTER else 65535):
            raise ValueError("it names a database that this mode does not have; mostly it is /0")
        place = {"endpoints": (endpoint,), "database": database}
        return self.model_copy(update=place | ({"tls": self.tls or Tls()} if tls else {}))

    def qualified_endpoints(self, namespace: str) -> tuple[str, ...]:
        """The endpoints as every pod of the cluster can resolve them, still host:port."""
        return tuple(_qualified(endpoint, namespace) for endpoint in self.endpoints)


class Redis(RedisPlace):
    """Where Redis (7.0 or newer) or Valkey (8 or newer) is and how to connect to it: here, or in a
    RedisConnection that many pipelines name."""

    connection_ref: ConnectionRef | None = Field(
        None,
        description=(
            "A RedisConnection of this namespace that says all the rest, but for dataLoss: Accept"
            " here or there counts."
        ),
    )

    rules = (
        Rule(
            f"{_HAS_ENDPOINTS} || {_HAS_URL} || has(self.connectionRef)",
            _NEEDS_ENDPOINTS,
            lambda r: len(r.endpoints) > 0 or r.url_key is not None or r.connection_ref is not None,
            field="endpoints",
            reason="FieldValueRequired",
        ),
        *RedisPlace.rules[1:],
        Rule(
            f"!has(self.connectionRef) || !({_HAS_ENDPOINTS}) && !has(self.credentialsSecretRef)"
            " && !has(self.sentinel) && !has(self.tls) && self.database == 0"
            " && self.mode == 'Standalone'",
            "the RedisConnection of connectionRef says where Redis is: remove all else from redis"
            " but dataLoss, or remove connectionRef",
            lambda r: r.connection_ref is None or _says_nothing(r),
            field="connectionRef",
            reason="FieldValueForbidden",
        ),
    )

    @classmethod
    def of(cls, place: RedisPlace, data_loss: DataLoss) -> "Redis":
        """What a RedisConnection says, for a pipeline that names it."""
        fields = {name: getattr(place, name) for name in RedisPlace.model_fields}
        if data_loss is DataLoss.ACCEPT:
            fields["data_loss"] = data_loss
        return cls(**fields)


def _says_nothing(redis: Redis) -> bool:
    """No more than the defaults, which the API server fills in."""
    defaults = redis.database == 0 and redis.mode is RedisMode.STANDALONE
    said = (redis.credentials_secret_ref, redis.sentinel, redis.tls)
    return defaults and not redis.endpoints and all(one is None for one in said)


def _qualified(endpoint: str, namespace: str) -> str:
    host, _, port = endpoint.rpartition(":")
    if "." in host or host == "localhost" or _is_address(host):
        return endpoint
    return f"{host}.{namespace}.svc:{port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
