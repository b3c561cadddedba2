"""Write the operator's manifests of charts/kustomize/ from the chart, for installs without Helm.

    python make/kustomize.py HELM            write them
    python make/kustomize.py HELM --check    exit 1 when they are not what the chart renders

What only concerns Helm (its labels) is taken out.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
HEAD = "# Made from charts/headrace by `make chart`; change it there.\n"
VALUES = {
    "base": ["crds.enabled=false", "test.enabled=false"],
    "namespaced": [
        "crds.enabled=false",
        "test.enabled=false",
        "rbac.aggregateRoles=false",
        "watchNamespaces={pipelines}",
    ],
}
OF_HELM = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def rendered(helm: str, values: list[str]) -> str:
    sets = [argument for value in values for argument in ("--set", value)]
    command = [helm, "template", "headrace", str(ROOT / "charts/headrace")]
    done = subprocess.run(
        [*command, "--namespace", "headrace-system", *sets],
        check=True,
        capture_output=True,
        text=True,
    )
    items = [item for item in yaml.safe_load_all(done.stdout) if item]
    for item in items:
        _drop(item["metadata"]["labels"])
    return HEAD + yaml.safe_dump_all(items, sort_keys=False, width=100)


def _drop(labels: dict[str, Any]) -> None:
    for label in OF_HELM:
        labels.pop(label, None)


def main(helm: str, *options: str) -> int:
    stale = 0
    for name, values in VALUES.items():
        file = ROOT / "charts/kustomize" / name / "operator.yaml"
        text = rendered(helm, values)
        if file.exists() and file.read_text("utf-8") == text:
            continue
        if "--check" in options:
            print(f"{file.relative_to(ROOT)} is not what the chart renders: run make chart")
            stale = 1
        else:
            file.write_text(text, "utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
