"""headrace.dev/v1alpha1."""

from headrace_api.duration import Duration
from headrace_api.v1alpha1.api_object import Metadata
from headrace_api.v1alpha1.connection import (
    RedisConnection,
    RedisConnectionSpec,
    RedisConnectionStatus,
)
from headrace_api.v1alpha1.container import (
    EnvVar,
    ImagePullPolicy,
    KeySelector,
    Resources,
    SecurityContext,
    VolumeMount,
)
from headrace_api.v1alpha1.delivery import Backoff, Deduplicate, Delivery, UnknownType
from headrace_api.v1alpha1.group import (
    DEFAULT_RECLAIM_SCHEDULE,
    Group,
    Output,
    Reclaim,
    Start,
    StartFrom,
)
from headrace_api.v1alpha1.pipeline import (
    DeletionPolicy,
    StreamPipeline,
    StreamPipelineSpec,
)
from headrace_api.v1alpha1.pod_template import (
    JobPodSpec,
    JobPodTemplate,
    PodMetadata,
    PodSpec,
    PodTemplate,
    Volume,
)
from headrace_api.v1alpha1.redis import (
    CaRef,
    ConnectionRef,
    CredentialsSecretRef,
    DataLoss,
    Redis,
    RedisMode,
    RedisPlace,
    RedisSecretRef,
    Sentinel,
    Tls,
)
from headrace_api.v1alpha1.scaling import Scaling, ScalingMode
from headrace_api.v1alpha1.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    GroupStatus,
    OrphanedGroup,
    Reason,
    Status,
    StreamStatus,
)
from headrace_api.v1alpha1.stream import (
    DEFAULT_TRIM_SCHEDULE,
    DeadLetter,
    Stream,
    Trim,
    TrimPolicy,
    hash_tag,
)
from headrace_api.v1alpha1.worker import CodeConfigMapRef, Runtime, Worker

__all__ = [
    "DEFAULT_RECLAIM_SCHEDULE",
    "DEFAULT_TRIM_SCHEDULE",
    "Backoff",
    "CaRef",
    "CodeConfigMapRef",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "ConnectionRef",
    "CredentialsSecretRef",
    "DataLoss",
    "DeadLetter",
    "Deduplicate",
    "DeletionPolicy",
    "Delivery",
    "Duration",
    "EnvVar",
    "Group",
    "GroupStatus",
    "ImagePullPolicy",
    "JobPodSpec",
    "JobPodTemplate",
    "KeySelector",
    "Metadata",
    "OrphanedGroup",
    "Output",
    "PodMetadata",
    "PodSpec",
    "PodTemplate",
    "Reason",
    "Reclaim",
    "Redis",
    "RedisConnection",
    "RedisConnectionSpec",
    "RedisConnectionStatus",
    "RedisMode",
    "RedisPlace",
    "RedisSecretRef",
    "Resources",
    "Runtime",
    "Scaling",
    "ScalingMode",
    "SecurityContext",
    "Sentinel",
    "Start",
    "StartFrom",
    "Status",
    "Stream",
    "StreamPipeline",
    "StreamPipelineSpec",
    "StreamStatus",
    "Tls",
    "Trim",
    "TrimPolicy",
    "UnknownType",
    "Volume",
    "VolumeMount",
    "Worker",
    "hash_tag",
]
