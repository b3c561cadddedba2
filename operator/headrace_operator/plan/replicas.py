"""Who writes a Deployment's replicas, and which number: never a jump to 1 between two steps.

Server-side apply resets `replicas` to 1 when its last owner leaves the field out. Hence:
- Automatic, Fixed and suspended: the manifest carries the number, always.
- External: the manifest carries none. Before it is left out for the first time, /scale is
  applied once by `headrace-handover` with the live number, so that the field keeps an owner.
- Suspend writes 0 in every mode and remembers the former number in an annotation, in the same
  apply; resume writes it back (External: at least 1, or an HPA would stay disabled for ever).
Each step reads only the live object, so a crash between two steps changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headrace_api import FIELD_MANAGER
from headrace_api.v1alpha1 import ScalingMode
from headrace_operator.plan.observation import Manifest

BEFORE_SUSPEND = "headrace.dev/replicas-before-suspend"
HAND_OVER_MANAGER = "headrace-handover"
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Replicas:
    """What the Deployment's manifest and /scale get.

    in_manifest  the number, or None: leave the field out.
    hand_over    apply /scale with this number, by HAND_OVER_MANAGER, and nothing else now: the
                 manifest waits for the next look, which sees the new owner. None: not needed.
    remembered   value of the BEFORE_SUSPEND annotation; None: no such annotation.
    """

    in_manifest: int | None
    hand_over: int | None = None
    remembered: str | None = None


def live_replicas(live: Manifest | None) -> int:
    """What the Deployment asks for now; 0 when there is none."""
    return int(live["spec"].get("replicas", 1)) if live is not None else 0


def before_suspend(live: Manifest | None) -> int | None:
    """The number that suspend remembered, None when the Deployment is not suspended."""
    if live is None:
        return None
    value = (live["metadata"].get("annotations") or {}).get(BEFORE_SUSPEND)
    # Anybody can edit the annotation, and int() raises for "²" and for very long numbers.
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None


def plan_replicas(
    mode: ScalingMode, suspended: bool, live: Manifest | None, wanted: int | None
) -> Replicas:
    """`wanted`: the decision in Automatic and Fixed; External ignores it.

    `wanted` None in Automatic and Fixed: nothing may be decided, keep what is there.
    """
    remembered = before_suspend(live)
    if suspended:
        former = live_replicas(live) if remembered is None else remembered
        return Replicas(0, remembered=str(former))
    if mode is not ScalingMode.EXTERNAL:
        return Replicas(live_replicas(live) if wanted is None else wanted)
    if live is None:
        return Replicas(None)
    if remembered is not None:
        # Still written by `headrace`; the next look hands the live number over.
        return Replicas(max(1, remembered))
    if _would_reset(live):
        number = live_replicas(live)
        return Replicas(number, hand_over=number)
    return Replicas(None)


def _would_reset(live: Manifest) -> bool:
    """True when leaving `replicas` out would leave it without an owner (or nobody can tell)."""
    entries = live["metadata"].get("managedFields")
    if not entries:
        return True
    owners = {
        entry.get("manager")
        for entry in entries
        if "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
    }
    return owners == {FIELD_MANAGER}
