#!/usr/bin/env python3
"""Prints a CycloneDX 1.6 bill of what is installed: this environment's Python packages, Debian's packages.

Needs nothing but Python, since it runs inside the image; the same packages give the same bytes.

    /opt/dream/bin/python sbom.py >sbom.cdx.json
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import quote

Component = dict[str, object]


def main() -> None:
    """Write the bill to standard output."""
    components = [*python_components(), *debian_components(Path("/var/lib/dpkg/status"), debian_release())]
    json.dump(bill(components), sys.stdout, indent=1, sort_keys=True)


def bill(components: list[Component]) -> dict[str, object]:
    """The whole document; its serial number follows from its content."""
    contents = json.dumps(components, sort_keys=True)
    product = next(each for each in components if each["name"] == "dream-rag")
    others = [each for each in components if each is not product]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, contents)}",
        "version": 1,
        "metadata": {"component": product | {"type": "application"}},
        "components": others,
    }


def python_components() -> list[Component]:
    """Every distribution that this interpreter can import, by name."""
    found = {plain(each.name): each for each in distributions()}
    return [python_component(found[name]) for name in sorted(found)]


def python_component(package: Distribution) -> Component:
    """Name, version and licence of one distribution."""
    name = plain(package.name)
    purl = f"pkg:pypi/{name}@{quote(package.version, safe='')}"
    return component(name, package.version, purl, licence(package))


def licence(package: Distribution) -> str:
    """What a distribution says of its licence: an expression, else its classifiers, else its free text."""
    fields = package.metadata
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = fields.get_all("Classifier") or []
    named = [each.rsplit(" :: ", 1)[1] for each in classifiers if each.startswith("License :: ")]
    if named:
        return " or ".join(named)
    # whole licence texts are found in this field too; the first line names them
    return fields["License"].strip().partition("\n")[0][:100] if "License" in fields else ""


def debian_components(status: Path, release: str) -> list[Component]:
    """Every installed package in dpkg's status file; none where there is no such file."""
    if not status.exists():
        return []
    components = []
    for paragraph in status.read_text("utf-8", "replace").split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={fields['Architecture']}"
            components.append(component(name, version, f"{purl}&distro=debian-{release}", ""))
    return sorted(components, key=lambda each: str(each["purl"]))


def debian_release() -> str:
    """Debian's release as the system names it: ``12``."""
    script = '. /etc/os-release; printf %s "$VERSION_ID"'
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout


def component(name: str, version: str, purl: str, licence_name: str) -> Component:
    """One entry of the bill."""
    entry: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence_name:
        entry["licenses"] = [{"license": {"name": licence_name}}]
    return entry


def plain(name: str) -> str:
    """A distribution's name as locks write it: ``Flask_CORS`` is ``flask-cors``."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
