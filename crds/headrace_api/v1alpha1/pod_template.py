"""A subset of PodTemplateSpec under its own names, so that it can grow towards the whole."""

import re
from typing import Annotated, Any

from pydantic import Field

from headrace_api.patterns import LABEL_VALUE, QUALIFIED_NAME
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.container import (
    ObjectFieldSelector,
    ResourceFieldSelector,
    SeccompProfile,
)
from headrace_api.v1alpha1.scalars import (
    LabelMap,
    Name,
    Quantity,
    Short,
    StringMap,
    Text,
    atomic,
    integer,
    keyed_by,
)

Mode = Annotated[int, integer(0, 0o777)]
Seconds = Annotated[int, integer(0, 2**31 - 1, wide=True)]
Weight = Annotated[int, integer(1, 100)]
Names = Annotated[tuple[Short, ...], atomic(at_most=64)]


class LocalObjectReference(Shape):
    """An object in the pipeline's namespace."""

    name: Name = Field(description="Name of the object.")


class Toleration(Shape):
    """A taint that the pod tolerates."""

    key: Short | None = Field(None, description="Key of the taint.")
    operator: Short | None = Field(None, description="Exists or Equal.")
    value: Short | None = Field(None, description="Value of the taint.")
    effect: Short | None = Field(None, description="NoSchedule, PreferNoSchedule or NoExecute.")
    toleration_seconds: Seconds | None = Field(None, description="How long NoExecute is borne.")


class Requirement(Shape):
    """A key, its relation to values, and the values."""

    key: Short = Field(description="Label or field key.")
    operator: Short = Field(description="In, NotIn, Exists, DoesNotExist (nodes also Gt and Lt).")
    values: Names | None = Field(None, description="Values to compare with.")


Requirements = Annotated[tuple[Requirement, ...], atomic(at_most=32)]


class LabelSelector(Shape):
    """Chooses pods by their labels."""

    match_labels: StringMap | None = Field(None, description="Labels that must be equal.")
    match_expressions: Requirements | None = Field(None, description="Requirements to meet.")


class NodeSelectorTerm(Shape):
    """Requirements that hold together."""

    match_expressions: Requirements | None = Field(None, description="By the node's labels.")
    match_fields: Requirements | None = Field(None, description="By the node's fields.")


class NodeSelector(Shape):
    """Any of these terms."""

    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], atomic(at_most=16)] = Field(
        description="Terms, of which one must hold."
    )


class PreferredSchedulingTerm(Shape):
    """A preference for nodes."""

    weight: Weight = Field(description="How much it counts, 1 to 100.")
    preference: NodeSelectorTerm = Field(description="The nodes preferred.")


class NodeAffinity(Shape):
    """Which nodes the pod may or should run on."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        None, description="Must hold."
    )
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[tuple[PreferredSchedulingTerm, ...], atomic(at_most=16)] | None
    ) = Field(None, description="Should hold.")


class PodAffinityTerm(Shape):
    """Pods, and the topology domain to share with them or to keep away from."""

    topology_key: Short = Field(description="Node label that names the domain.")
    label_selector: LabelSelector | None = Field(None, description="The pods meant.")
    namespaces: Names | None = Field(None, description="Their namespaces.")
    namespace_selector: LabelSelector | None = Field(
        None, description="Their namespaces, by label."
    )


class WeightedPodAffinityTerm(Shape):
    """A preference for being near pods or away from them."""

    weight: Weight = Field(description="How much it counts, 1 to 100.")
    pod_affinity_term: PodAffinityTerm = Field(description="The pods and the domain.")


class PodAffinity(Shape):
    """Which pods to be near to, or away from under podAntiAffinity."""

    required_during_scheduling_ignored_during_execution: (
        Annotated[tuple[PodAffinityTerm, ...], atomic(at_most=16)] | None
    ) = Field(None, description="Must hold.")
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[tuple[WeightedPodAffinityTerm, ...], atomic(at_most=16)] | None
    ) = Field(None, description="Should hold.")


class Affinity(Shape):
    """Where the scheduler may or should place the pod."""

    node_affinity: NodeAffinity | None = Field(None, description="By nodes.")
    pod_affinity: PodAffinity | None = Field(None, description="Near pods.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Away from pods.")


class TopologySpreadConstraint(Shape):
    """How evenly workers are spread."""

    max_skew: Annotated[int, integer(1, 1000)] = Field(
        description="By how many pods domains may differ."
    )
    topology_key: Name = Field(description="Node label that names the domain.")
    when_unsatisfiable: Name = Field(description="DoNotSchedule or ScheduleAnyway.")
    label_selector: LabelSelector | None = Field(None, description="The pods counted.")
    match_label_keys: Names | None = Field(None, description="Label keys that must be equal too.")
    min_domains: Annotated[int, integer(1, 1000)] | None = Field(
        None, description="Domains that must exist."
    )
    node_affinity_policy: Short | None = Field(None, description="Honor or Ignore.")
    node_taints_policy: Short | None = Field(None, description="Honor or Ignore.")


class KeyToPath(Shape):
    """A key and the file that it becomes."""

    key: Name = Field(description="Key in the object.")
    path: Text = Field(description="Path of the file in the volume.")
    mode: Mode | None = Field(None, description="Permission bits of the file, in decimal.")


Items = Annotated[tuple[KeyToPath, ...], atomic(at_most=64)]


class ConfigMapVolume(Shape):
    """A ConfigMap as files."""

    name: Name = Field(description="Name of the ConfigMap.")
    items: Items | None = Field(None, description="Keys to take; all when absent.")
    default_mode: Mode | None = Field(None, description="Permission bits, in decimal.")
    optional: bool | None = Field(None, strict=True, description="Whether it may be absent.")


class SecretVolume(Shape):
    """A Secret as files."""

    secret_name: Name = Field(description="Name of the Secret.")
    items: Items | None = Field(None, description="Keys to take; all when absent.")
    default_mode: Mode | None = Field(None, description="Permission bits, in decimal.")
    optional: bool | None = Field(None, strict=True, description="Whether it may be absent.")


class SecretProjection(Shape):
    """A Secret inside a projected volume."""

    name: Name = Field(description="Name of the Secret.")
    items: Items | None = Field(None, description="Keys to take; all when absent.")
    optional: bool | None = Field(None, strict=True, description="Whether it may be absent.")


class ConfigMapProjection(Shape):
    """A ConfigMap inside a projected volume."""

    name: Name = Field(description="Name of the ConfigMap.")
    items: Items | None = Field(None, description="Keys to take; all when absent.")
    optional: bool | None = Field(None, strict=True, description="Whether it may be absent.")


class DownwardAPIFile(Shape):
    """A field of the pod as a file."""

    path: Text = Field(description="Path of the file in the volume.")
    field_ref: ObjectFieldSelector | None = Field(None, description="A field of the pod.")
    resource_field_ref: ResourceFieldSelector | None = Field(
        None, description="A resource of the container."
    )
    mode: Mode | None = Field(None, description="Permission bits of the file, in decimal.")


Files = Annotated[tuple[DownwardAPIFile, ...], atomic(at_most=32)]


class DownwardAPIProjection(Shape):
    """Fields of the pod inside a projected volume."""

    items: Files | None = Field(None, description="The files.")


class DownwardAPIVolume(Shape):
    """Fields of the pod as files."""

    items: Files | None = Field(None, description="The files.")
    default_mode: Mode | None = Field(None, description="Permission bits, in decimal.")


class ServiceAccountTokenProjection(Shape):
    """A token of the pod's ServiceAccount, for a named audience."""

    path: Text = Field(description="Path of the file in the volume.")
    audience: Text | None = Field(None, description="Whom the token is for.")
    expiration_seconds: Seconds | None = Field(None, description="Lifetime of the token.")


class ProjectedSource(Shape):
    """One source of a projected volume."""

    secret: SecretProjection | None = Field(None, description="A Secret.")
    config_map: ConfigMapProjection | None = Field(None, description="A ConfigMap.")
    downward_api: DownwardAPIProjection | None = Field(
        None, alias="downwardAPI", description="Fields of the pod."
    )
    service_account_token: ServiceAccountTokenProjection | None = Field(
        None, description="A token of the ServiceAccount."
    )


class ProjectedVolume(Shape):
    """Several sources in one directory."""

    sources: Annotated[tuple[ProjectedSource, ...], atomic(at_most=16)] | None = Field(
        None, description="The sources."
    )
    default_mode: Mode | None = Field(None, description="Permission bits, in decimal.")


class EmptyDirVolume(Shape):
    """An empty directory that lives as long as the pod."""

    medium: Short | None = Field(None, description="Memory, or the node's disk when absent.")
    size_limit: Quantity | None = Field(None, description="Largest size.")


class PersistentVolumeClaimVolume(Shape):
    """A PersistentVolumeClaim."""

    claim_name: Name = Field(description="Name of the claim.")
    read_only: bool | None = Field(None, strict=True, description="Whether writing is refused.")


class CSIVolume(Shape):
    """An ephemeral volume of a CSI driver, such as a secrets store."""

    driver: Name = Field(description="Name of the driver.")
    fs_type: Short | None = Field(None, description="File system.")
    read_only: bool | None = Field(None, strict=True, description="Whether writing is refused.")
    volume_attributes: StringMap | None = Field(None, description="The driver's own settings.")
    node_publish_secret_ref: LocalObjectReference | None = Field(
        None, description="Secret that the driver reads."
    )


_VOLUME_SOURCES = (
    "configMap",
    "secret",
    "emptyDir",
    "persistentVolumeClaim",
    "projected",
    "downwardAPI",
    "csi",
)


class Volume(Shape):
    """A volume that worker.volumeMounts may mount."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="Name of the volume. headrace-* belongs to Headrace."
    )
    config_map: ConfigMapVolume | None = Field(None, description="A ConfigMap as files.")
    secret: SecretVolume | None = Field(None, description="A Secret as files.")
    empty_dir: EmptyDirVolume | None = Field(None, description="An empty directory.")
    persistent_volume_claim: PersistentVolumeClaimVolume | None = Field(
        None, description="A PersistentVolumeClaim."
    )
    projected: ProjectedVolume | None = Field(None, description="Several sources together.")
    downward_api: DownwardAPIVolume | None = Field(
        None, alias="downwardAPI", description="Fields of the pod as files."
    )
    csi: CSIVolume | None = Field(None, description="An ephemeral CSI volume.")

    rules = (
        Rule(
            f"[{', '.join(f'has(self.{source})' for source in _VOLUME_SOURCES)}]"
            ".filter(x, x).size() == 1",
            f"a volume takes exactly one of {', '.join(_VOLUME_SOURCES)}",
            lambda s: (
                sum(
                    source is not None
                    for source in (
                        s.config_map,
                        s.secret,
                        s.empty_dir,
                        s.persistent_volume_claim,
                        s.projected,
                        s.downward_api,
                        s.csi,
                    )
                )
                == 1
            ),
        ),
    )


class PodSecurityContext(Shape):
    """The pod's rights; what is absent keeps Headrace's restricted setting."""

    fs_group: Seconds | None = Field(None, description="Group id that owns mounted volumes.")
    fs_group_change_policy: Short | None = Field(None, description="OnRootMismatch or Always.")
    run_as_group: Seconds | None = Field(None, description="Group id of every process.")
    run_as_non_root: bool | None = Field(
        None, strict=True, description="Whether the kubelet refuses to start a root process."
    )
    run_as_user: Seconds | None = Field(None, description="User id of every process.")
    seccomp_profile: SeccompProfile | None = Field(None, description="The seccomp profile.")
    supplemental_groups: Annotated[tuple[Seconds, ...], atomic(at_most=32)] | None = Field(
        None, description="Further group ids."
    )


class JobPodSpec(Shape):
    """The pod fields of a Job of Headrace's own."""

    node_selector: StringMap | None = Field(None, description="Labels that a node must have.")
    tolerations: Annotated[tuple[Toleration, ...], atomic(at_most=32)] | None = Field(
        None, description="Taints that the pods tolerate."
    )
    service_account_name: Name | None = Field(
        None, description="ServiceAccount of the pods; <pipeline>-headrace when absent."
    )
    image_pull_secrets: (
        Annotated[tuple[LocalObjectReference, ...], keyed_by("name", at_most=16)] | None
    ) = Field(None, description="Secrets for pulling the image.")
    priority_class_name: Short | None = Field(None, description="PriorityClass of the pods.")
    runtime_class_name: Short | None = Field(None, description="RuntimeClass of the pods.")
    security_context: PodSecurityContext | None = Field(None, description="The pods' rights.")


class PodSpec(JobPodSpec):
    """The pod's own fields."""

    affinity: Affinity | None = Field(None, description="Where pods may or should be placed.")
    topology_spread_constraints: (
        Annotated[
            tuple[TopologySpreadConstraint, ...],
            keyed_by("topologyKey", "whenUnsatisfiable", at_most=8),
        ]
        | None
    ) = Field(None, description="How evenly workers are spread.")
    volumes: Annotated[tuple[Volume, ...], keyed_by("name", at_most=16)] | None = Field(
        None, description="Volumes that worker.volumeMounts may mount."
    )
    scheduler_name: Short | None = Field(None, description="Scheduler that places the pods.")
    termination_grace_period_seconds: Annotated[int, integer(1, 86400, wide=True)] | None = Field(
        None,
        description="Time between SIGTERM and SIGKILL; handlerTimeout + 15 s when absent.",
    )


class PodMetadata(Shape):
    """Labels and annotations of the pods."""

    labels: LabelMap | None = Field(None, description="Labels; headrace.dev/* is Headrace's.")
    annotations: StringMap | None = Field(
        None, description="Annotations; headrace.dev/* is Headrace's."
    )

    rules = (
        Rule(
            "(!has(self.labels) || self.labels.all(k, !k.startsWith('headrace.dev/')"
            " && k != 'app.kubernetes.io/managed-by')) && (!has(self.annotations)"
            " || self.annotations.all(k, !k.startsWith('headrace.dev/')))",
            "labels and annotations headrace.dev/* and the label app.kubernetes.io/managed-by"
            " belong to Headrace; use keys of your own",
            lambda m: (
                not any(_reserved(key) for key in (m.labels or {}))
                and not any(key.startswith("headrace.dev/") for key in (m.annotations or {}))
            ),
        ),
        Rule(
            f"(!has(self.labels) || self.labels.all(k, k.matches('{QUALIFIED_NAME}')"
            f" && self.labels[k].matches('{LABEL_VALUE}')))"
            " && (!has(self.annotations)"
            f" || self.annotations.all(k, k.matches('{QUALIFIED_NAME}')))",
            "keys of labels and annotations, and values of labels, take letters, digits, dashes,"
            " underscores and dots, and begin and end with a letter or digit; a key may have a"
            " prefix such as example.com/",
            lambda m: (
                all(
                    re.fullmatch(QUALIFIED_NAME[1:-1], key)
                    for key in (*(m.labels or ()), *(m.annotations or ()))
                )
                and all(
                    re.fullmatch(LABEL_VALUE[1:-1], value) for value in (m.labels or {}).values()
                )
            ),
        ),
    )


def _reserved(key: str) -> bool:
    return key.startswith("headrace.dev/") or key == "app.kubernetes.io/managed-by"


class PodTemplate(Shape):
    """The pod around the worker container."""

    metadata: PodMetadata | None = Field(None, description="Labels and annotations of the pods.")
    spec: PodSpec | None = Field(None, description="The pod's own fields.")

    def spec_manifest(self) -> dict[str, Any]:
        """The pod fields that the user wrote; empty when there are none."""
        return self.spec.manifest() if self.spec is not None else {}


class JobPodTemplate(Shape):
    """The pod around the container of a Job of Headrace's own."""

    metadata: PodMetadata | None = Field(None, description="Labels and annotations of the pods.")
    spec: JobPodSpec | None = Field(None, description="The pod's own fields.")

    def spec_manifest(self) -> dict[str, Any]:
        """The pod fields that the user wrote; empty when there are none."""
        return self.spec.manifest() if self.spec is not None else {}
