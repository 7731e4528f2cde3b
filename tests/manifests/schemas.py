"""JSON schemas for kubeconform: Kubernetes 1.36 from a package, the operators' from their CRDs.

Both are strict: a field that the schema does not know is an error, as a misspelt one is silently dropped
by an API server that is asked leniently.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = "v1.36.0-local-strict"


def write_schemas(target: Path, environment: Path, crds: Path) -> list[str]:
    """Write one file per kind, named as kubeconform looks for them.

    Args:
        target: Folder to write to.
        environment: Virtual environment with ``kubernetes-validate``, whose schemas are copied.
        crds: Folder with CustomResourceDefinitions.

    Returns:
        The kinds that came from the CRDs, as ``group/version/Kind``.
    """
    (source,) = environment.glob(
        f"lib/python*/site-packages/kubernetes_validate/kubernetes-json-schema/{KUBERNETES}"
    )
    for file in source.glob("*.json"):
        schema = json.loads(file.read_text().replace("/api/_definitions.json", "_definitions.json"))
        # The package names its schemas by address; kubeconform shall find their neighbours by file name.
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema))

    kinds = []
    for group, version, kind, schema in custom_schemas(crds):
        short = group.split(".")[0]
        (target / f"{kind.lower()}-{short}-{version}.json").write_text(json.dumps(schema))
        kinds.append(f"{group}/{version}/{kind}")
    return kinds


def custom_schemas(crds: Path) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Group, version, kind and strict JSON schema of every resource that the CRDs define."""
    for file in sorted(crds.glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
                schema["properties"] |= {
                    "apiVersion": {"const": f"{group}/{version['name']}"},
                    "kind": {"const": kind},
                    "metadata": {
                        "$ref": "_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
                    },
                }
                schema["required"] = sorted({*schema.get("required", []), "metadata"})
                yield group, version["name"], kind, schema


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema of a CRD as a JSON schema that refuses unknown fields.

    >>> strict({"type": "object", "properties": {"a": {"x-kubernetes-int-or-string": True}}})
    {'type': 'object', 'properties': {'a': {'type': ['integer', 'string']}}, 'additionalProperties': False}
    """
    plain = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        return {**{k: v for k, v in plain.items() if k != "anyOf"}, "type": ["integer", "string"]}
    if "properties" in plain:
        plain["properties"] = {name: strict(value) for name, value in plain["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = strict(plain[key])
    closed = "properties" in plain and "additionalProperties" not in plain
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        # allOf, anyOf and oneOf of a structural schema only restrict what `properties` names already.
        plain["additionalProperties"] = False
    if plain.pop("nullable", False) and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain
