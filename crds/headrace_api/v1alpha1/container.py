"""Container's own fields, named and shaped as in Kubernetes; only what a worker can use."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from headrace_api.patterns import QUALIFIED_NAME
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.scalars import (
    QUANTITY,
    Name,
    Quantity,
    Short,
    Text,
    Word,
    amount,
    atomic,
    integer,
    keyed_by,
)


class ImagePullPolicy(StrEnum):
    """When the kubelet pulls the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class KeySelector(Shape):
    """One key of a Secret or ConfigMap in the pipeline's namespace."""

    name: Name = Field(description="Name of the object.")
    key: Name = Field(description="Key in the object.")
    optional: bool | None = Field(
        None, strict=True, description="Whether the object or its key may be absent."
    )


class ObjectFieldSelector(Shape):
    """A field of the pod."""

    field_path: Name = Field(description="Path of the field, such as metadata.name.")
    api_version: Short | None = Field(None, description="API version of the path.")


class ResourceFieldSelector(Shape):
    """A resource of the container."""

    resource: Name = Field(description="Resource, such as limits.memory.")
    container_name: Short | None = Field(None, description="Container; the worker when absent.")
    divisor: Quantity | None = Field(None, description="Unit of the value.")


class EnvVarSource(Shape):
    """Where an environment variable's value comes from."""

    secret_key_ref: KeySelector | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: KeySelector | None = Field(None, description="A key of a ConfigMap.")
    field_ref: ObjectFieldSelector | None = Field(None, description="A field of the pod.")
    resource_field_ref: ResourceFieldSelector | None = Field(
        None, description="A resource of the container."
    )

    rules = (
        Rule(
            "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef),"
            " has(self.resourceFieldRef)].filter(x, x).size() == 1",
            "valueFrom takes exactly one of secretKeyRef, configMapKeyRef, fieldRef and"
            " resourceFieldRef",
            lambda s: (
                sum(
                    source is not None
                    for source in (
                        s.secret_key_ref,
                        s.config_map_key_ref,
                        s.field_ref,
                        s.resource_field_ref,
                    )
                )
                == 1
            ),
        ),
    )


class EnvVar(Shape):
    """An environment variable of the worker."""

    name: Name = Field(description="Name of the variable. HEADRACE_* belongs to Headrace.")
    value: Text | None = Field(
        None,
        description="Value in plain text, at most 4096. Take secrets from valueFrom.secretKeyRef.",
    )
    value_from: EnvVarSource | None = Field(None, description="Where the value comes from.")

    rules = (
        Rule(
            "!(has(self.value) && has(self.valueFrom))",
            "give value or valueFrom, not both",
            lambda s: s.value is None or s.value_from is None,
        ),
    )


class ObjectRef(Shape):
    """A Secret or ConfigMap in the pipeline's namespace."""

    name: Name = Field(description="Name of the object.")
    optional: bool | None = Field(None, strict=True, description="Whether it may be absent.")


class EnvFromSource(Shape):
    """Environment variables from every key of an object."""

    prefix: Short | None = Field(None, description="Put in front of every key.")
    secret_ref: ObjectRef | None = Field(None, description="The Secret.")
    config_map_ref: ObjectRef | None = Field(None, description="The ConfigMap.")

    rules = (
        Rule(
            "has(self.secretRef) != has(self.configMapRef)",
            "envFrom takes secretRef or configMapRef, exactly one of them",
            lambda s: (s.secret_ref is None) != (s.config_map_ref is None),
        ),
    )


_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def _is_resource(key: str) -> bool:
    if key in _RESOURCES or key.startswith("hugepages-"):
        return True
    return key.count("/") == 1 and re.fullmatch(QUALIFIED_NAME[1:-1], key) is not None


Quantities = Annotated[dict[Short, Quantity], Field(max_length=32)]


class Resources(Shape):
    """What a worker asks for and what it may use."""

    requests: Quantities | None = Field(None, description="What the scheduler sets aside.")
    limits: Quantities | None = Field(None, description="What the container may use at most.")

    rules = (
        Rule(
            " && ".join(
                f"(!has(self.{field}) || self.{field}.all(k, k in {list(_RESOURCES)}"
                f" || k.startsWith('hugepages-') || k.matches('^[^/]+/[^/]+$')"
                f" && k.matches('{QUALIFIED_NAME}')))"
                for field in ("requests", "limits")
            ),
            "resources are cpu, memory, ephemeral-storage, hugepages-<size> and extended ones such"
            " as example.com/gpu",
            lambda r: all(_is_resource(key) for key in (*(r.requests or ()), *(r.limits or ()))),
        ),
        Rule(
            # matches() first: rules run also on what the pattern refuses, and quantity() of a
            # number with a long exponent keeps the API server busy for minutes.
            "!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits)"
            f" || !string(self.requests[k]).matches(r'{QUANTITY}')"
            f" || !string(self.limits[k]).matches(r'{QUANTITY}')"
            " || quantity(string(self.requests[k]))"
            ".compareTo(quantity(string(self.limits[k]))) <= 0)",
            "a request must not be larger than the limit of the same resource",
            lambda r: all(
                amount(request) <= amount(r.limits[key])
                for key, request in (r.requests or {}).items()
                if key in (r.limits or {})
            ),
        ),
    )


class VolumeMount(Shape):
    """Where a volume of podTemplate.spec.volumes appears in the worker's file system."""

    name: Name = Field(description="Name of a volume of podTemplate.spec.volumes.")
    mount_path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Path in the container. /etc/headrace belongs to Headrace."
    )
    read_only: bool | None = Field(None, strict=True, description="Whether writing is refused.")
    sub_path: Text | None = Field(None, description="Path in the volume.")
    sub_path_expr: Text | None = Field(
        None, description="Path in the volume, with environment variables."
    )
    mount_propagation: Short | None = Field(None, description="How mounts are passed on.")


class Capabilities(Shape):
    """Linux capabilities."""

    add: Annotated[tuple[Short, ...], atomic(at_most=64)] | None = Field(
        None, description="Capabilities to add."
    )
    drop: Annotated[tuple[Short, ...], atomic(at_most=64)] | None = Field(
        None, description="Capabilities to drop."
    )


class SeccompProfile(Shape):
    """The seccomp profile."""

    type: Short = Field(description="RuntimeDefault, Localhost or Unconfined.")
    localhost_profile: Short | None = Field(None, description="File on the node.")


class SecurityContext(Shape):
    """The worker container's rights; what is absent keeps Headrace's restricted setting."""

    allow_privilege_escalation: bool | None = Field(
        None, strict=True, description="Whether a process may gain more rights than its parent."
    )
    capabilities: Capabilities | None = Field(None, description="Linux capabilities.")
    privileged: bool | None = Field(None, strict=True, description="Whether it runs privileged.")
    read_only_root_filesystem: bool | None = Field(
        None, strict=True, description="Whether the root file system is read-only."
    )
    run_as_group: Annotated[int, integer(0, 2**31 - 1, wide=True)] | None = Field(
        None, description="Group id of the process."
    )
    run_as_non_root: bool | None = Field(
        None, strict=True, description="Whether the kubelet refuses to start it as root."
    )
    run_as_user: Annotated[int, integer(0, 2**31 - 1, wide=True)] | None = Field(
        None, description="User id of the process."
    )
    seccomp_profile: SeccompProfile | None = Field(None, description="The seccomp profile.")


EnvVars = Annotated[tuple[EnvVar, ...], keyed_by("name", at_most=64)]
EnvFromSources = Annotated[tuple[EnvFromSource, ...], atomic(at_most=16)]
VolumeMounts = Annotated[tuple[VolumeMount, ...], keyed_by("mountPath", at_most=16)]
Words = Annotated[tuple[Word, ...], atomic(at_most=32)]
