"""The bill of materials of an image (CycloneDX 1.6): what dpkg and pip have installed in it.

python -m make.image_bill worker 0.1.0 worker.tar > worker-image.cdx.json
"""

import json
import sys
import uuid
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from make import image_contents
from make.image_contents import DPKG_STATUS, Contents

DISTRIBUTION = "debian"
_INSTALLED = "install ok installed"


def bill(image: str, version: str, contents: Contents) -> dict[str, Any]:
    """No time and no chance in it: equal packages make an equal bill."""
    found = _of_debian(contents) + _of_python(contents)
    components = sorted({one["purl"]: one for one in found}.values(), key=lambda one: one["purl"])
    whole = {
        "type": "container",
        "bom-ref": f"ghcr.io/headrace/{image}",
        "name": f"ghcr.io/headrace/{image}",
        "version": version,
    }
    named = json.dumps([whole, components], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, named)}",
        "version": 1,
        "metadata": {"component": whole},
        "components": components,
    }


def _of_debian(contents: Contents) -> list[dict[str, Any]]:
    """From dpkg's status: a paragraph for each package, those that are removed among them."""
    paragraphs = contents.texts.get(DPKG_STATUS, "").split("\n\n")
    parsed = [HeaderParser().parsestr(text.lstrip("\n")) for text in paragraphs if text.strip()]
    return [
        _component(
            "deb",
            f"{DISTRIBUTION}/{one['Package']}",
            one["Package"],
            one["Version"],
            f"?arch={one['Architecture']}",
        )
        for one in parsed
        if one["Status"] == _INSTALLED
    ]


def _of_python(contents: Contents) -> list[dict[str, Any]]:
    found = []
    for name in sorted(contents.texts.keys() - {DPKG_STATUS}):
        metadata = HeaderParser().parsestr(contents.texts[name])
        package = metadata["Name"].lower().replace("_", "-").replace(".", "-")
        component = _component("pypi", package, metadata["Name"], metadata["Version"])
        # Python's metadata has one of the two; a licence's whole text is nobody's to read here.
        licence = metadata["License-Expression"]
        if licence:
            component["licenses"] = [{"expression": licence}]
        found.append(component)
    return found


def _component(
    kind: str, path: str, name: str, version: str, qualifiers: str = ""
) -> dict[str, Any]:
    url = f"pkg:{kind}/{path}@{quote(version, safe='')}{qualifiers}"
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
    }


def main(arguments: list[str]) -> int:
    image, version, archive = arguments
    print(json.dumps(bill(image, version, image_contents.read(Path(archive))), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
