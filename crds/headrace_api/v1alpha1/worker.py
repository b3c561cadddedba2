"""The worker of a group: its code, its container and its pod."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from headrace_api import mounts
from headrace_api.patterns import ENV_NAME
from headrace_api.rules import Rule, Shape
from headrace_api.v1alpha1.container import (
    EnvFromSources,
    EnvVars,
    ImagePullPolicy,
    Resources,
    SecurityContext,
    VolumeMounts,
    Words,
)
from headrace_api.v1alpha1.pod_template import PodTemplate
from headrace_api.v1alpha1.scalars import Name, integer

_HANDLER = r"^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
_HANDLER_SHAPE = re.compile(_HANDLER.replace("$", r"\Z"))
# user:password@ in a URL, wherever it stands in the text
_URL_PASSWORD = r"//[^/]*:[^/]+@"  # noqa: S105 - a pattern
_URL_PASSWORD_SHAPE = re.compile(_URL_PASSWORD)
_RUNTIME = "(has(self.runtime) ? self.runtime : 'Headrace')"
_HEADRACE_ONLY = {"handler", "code_config_map_ref", "concurrency", "batch_size"}
_CONTAINER_FIELDS = {
    "image",
    "image_pull_policy",
    "command",
    "args",
    "env",
    "env_from",
    "resources",
    "volume_mounts",
    "security_context",
}


class Runtime(StrEnum):
    """What runs in the worker's container."""

    HEADRACE = "Headrace"
    CUSTOM = "Custom"


class CodeConfigMapRef(Shape):
    """A ConfigMap of the pipeline's namespace whose keys are Python files."""

    name: Name = Field(description="Name of the ConfigMap.")


def _url_password(worker: "Worker") -> bool:
    texts = [*(worker.command or ()), *(worker.args or ())]
    texts += [variable.value for variable in worker.env or () if variable.value is not None]
    return any(_URL_PASSWORD_SHAPE.search(text) for text in texts)


def _mounted_inside(mount_path: str) -> bool:
    return mount_path == mounts.ROOT or mount_path.startswith(mounts.ROOT + "/")


class Worker(Shape):
    """The worker: Container's own fields stand here, the pod's under podTemplate."""

    runtime: Runtime = Field(
        Runtime.HEADRACE,
        description=(
            "Headrace: Python handlers run by `headrace worker`. Custom: any image, in any"
            " language, that reads the documented environment."
        ),
    )
    handler: Annotated[str, Field(max_length=256)] | None = Field(
        None,
        description="The headrace.App to run, as module:attribute. Runtime Headrace needs it.",
    )
    code_config_map_ref: CodeConfigMapRef | None = Field(
        None,
        description=(
            "ConfigMap with the handler's files, for a first try without building an image."
            " Runtime Headrace only."
        ),
    )
    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None,
        description="Image of the worker. Runtime Headrace: the operator's own when absent.",
    )
    concurrency: Annotated[int, integer(1, 10_000)] = Field(
        16, description="Events handled at the same time by one worker. Runtime Headrace only."
    )
    batch_size: Annotated[int, integer(1, 1000)] = Field(
        100, description="Entries read at once by one worker. Runtime Headrace only."
    )
    image_pull_policy: ImagePullPolicy | None = Field(
        None, description="Always, IfNotPresent or Never; as in Container."
    )
    command: Words | None = Field(None, description="Entry point; as in Container.")
    args: Words | None = Field(None, description="Arguments; as in Container.")
    env: EnvVars | None = Field(None, description="Environment variables; as in Container.")
    env_from: EnvFromSources | None = Field(
        None, description="Environment variables from whole objects; as in Container."
    )
    resources: Resources | None = Field(None, description="Requests and limits; as in Container.")
    volume_mounts: VolumeMounts | None = Field(
        None, description="Mounts of podTemplate.spec.volumes; as in Container."
    )
    security_context: SecurityContext | None = Field(
        None, description="The container's rights; as in Container."
    )
    pod_template: PodTemplate | None = Field(
        None,
        description=(
            "The pod around the container, as in PodTemplateSpec; that of the reclaim Job, too."
        ),
    )

    rules = (
        Rule(
            f"{_RUNTIME} == 'Custom' || has(self.handler)",
            "runtime Headrace needs handler, written module:attribute; another program goes with"
            " runtime: Custom",
            lambda w: w.runtime is Runtime.CUSTOM or w.handler is not None,
            field="handler",
            reason="FieldValueRequired",
        ),
        Rule(
            f"!has(self.handler) || self.handler.matches('{_HANDLER}')",
            "handler is module:attribute, such as handlers:app",
            lambda w: w.handler is None or _HANDLER_SHAPE.match(w.handler) is not None,
            field="handler",
        ),
        Rule(
            f"{_RUNTIME} == 'Headrace' || has(self.image)",
            "runtime Custom needs image",
            lambda w: w.runtime is Runtime.HEADRACE or w.image is not None,
            field="image",
            reason="FieldValueRequired",
        ),
        Rule(
            f"{_RUNTIME} == 'Headrace' || !(has(self.handler) || has(self.codeConfigMapRef)"
            " || has(self.concurrency) || has(self.batchSize))",
            "handler, codeConfigMapRef, concurrency and batchSize go with runtime Headrace;"
            " remove them",
            lambda w: w.runtime is Runtime.HEADRACE or not (w.model_fields_set & _HEADRACE_ONLY),
        ),
        Rule(
            "!has(self.image) || (!self.image.contains('@') || self.image.contains('@sha'))"
            " && !self.image.contains('://') && !self.image.contains(' ')",
            "image is registry/name:tag or registry/name@sha256:digest, without scheme or"
            " credentials; put those in a Secret and name it in podTemplate.spec.imagePullSecrets",
            lambda w: (
                w.image is None
                or (
                    ("@" not in w.image or "@sha" in w.image)
                    and "://" not in w.image
                    and " " not in w.image
                )
            ),
            field="image",
            reason="FieldValueForbidden",
        ),
        Rule(
            f"(!has(self.env) || self.env.all(e, !has(e.value)"
            f" || !e.value.matches(r'{_URL_PASSWORD}')))"
            f" && (!has(self.command) || self.command.all(c, !c.matches(r'{_URL_PASSWORD}')))"
            f" && (!has(self.args) || self.args.all(a, !a.matches(r'{_URL_PASSWORD}')))",
            "env, command and args take no URL with a password in it; put the password in a Secret"
            " and take it from there by env[].valueFrom.secretKeyRef",
            lambda w: not _url_password(w),
            field="env",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.env) || self.env.all(e, !e.name.startsWith('HEADRACE_'))",
            "environment variables HEADRACE_* belong to Headrace; use names of your own",
            lambda w: not any(e.name.startswith(mounts.ENV_PREFIX) for e in w.env or ()),
            field="env",
            reason="FieldValueForbidden",
        ),
        Rule(
            f"!has(self.env) || self.env.all(e, e.name.matches('{ENV_NAME}'))",
            "names of environment variables take letters, digits, dots, dashes and underscores, and"
            " do not begin with a digit",
            lambda w: all(re.fullmatch(ENV_NAME[1:-1], e.name) for e in w.env or ()),
            field="env",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.volumeMounts) || self.volumeMounts.all(m, m.mountPath != '/etc/headrace'"
            " && !m.mountPath.startsWith('/etc/headrace/'))",
            "mountPath /etc/headrace belongs to Headrace; mount elsewhere",
            lambda w: not any(_mounted_inside(m.mount_path) for m in w.volume_mounts or ()),
            field="volumeMounts",
        ),
        Rule(
            "!has(self.podTemplate) || !has(self.podTemplate.spec)"
            " || !has(self.podTemplate.spec.volumes)"
            " || self.podTemplate.spec.volumes.all(v, !v.name.startsWith('headrace-'))",
            "volumes headrace-* belong to Headrace; use names of your own",
            lambda w: not any(v.name.startswith(mounts.VOLUME_PREFIX) for v in w.pod_spec_volumes),
            field="podTemplate",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!has(self.volumeMounts) || self.volumeMounts.all(m, has(self.podTemplate)"
            " && has(self.podTemplate.spec) && has(self.podTemplate.spec.volumes)"
            " && self.podTemplate.spec.volumes.exists(v, v.name == m.name))",
            "every volumeMounts[].name must name a volume of podTemplate.spec.volumes",
            lambda w: (
                {m.name for m in w.volume_mounts or ()} <= {v.name for v in w.pod_spec_volumes}
            ),
            field="volumeMounts",
        ),
    )

    @property
    def pod_spec_volumes(self) -> tuple[Any, ...]:
        """The user's volumes; empty when there are none."""
        spec = self.pod_template.spec if self.pod_template is not None else None
        return spec.volumes or () if spec is not None else ()

    def container_manifest(self) -> dict[str, Any]:
        """Container's fields that the user wrote, as they stand in YAML."""
        return self.model_dump(
            mode="json", by_alias=True, exclude_unset=True, include=_CONTAINER_FIELDS
        )
