"""What the manifest checks share: everything rendered once, and kubeconform's word on all of it."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from .programs import crd_folder, program, tools_environment
from .render import Case, all_cases
from .schemas import write_schemas

# Kinds whose schemas nobody ships to us; each with the reason why that is borne.
WITHOUT_SCHEMA = {
    "cert-manager.io/v1/Issuer": "its schemas are not among ../shared/crds; one small resource",
    "barmancloud.cnpg.io/v1/ObjectStore": "nor are those of the backup plugin; one small resource",
}


@pytest.fixture(scope="session")
def cases() -> tuple[Case, ...]:
    return tuple(all_cases())


@pytest.fixture(scope="session")
def schema_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder, tools_environment(), crd_folder())
    return folder


def kubeconform(schemas: Path, files: Path) -> Mapping[str, list[str]]:
    """What kubeconform finds wrong, by file name; it reads all files in one run."""
    done = subprocess.run(
        [
            program("kubeconform"), "-strict", "-output", "json", "-n", "2",
            "-schema-location", f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            "-skip", ",".join(WITHOUT_SCHEMA), str(files),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, list[str]] = defaultdict(list)
    for resource in json.loads(done.stdout)["resources"] or []:
        if resource["status"] in ("statusInvalid", "statusError"):
            what = f"{resource['kind']} {resource['name']}: {resource['msg']}"
            found[Path(resource["filename"]).name].append(what)
    return found


@pytest.fixture(scope="session")
def invalid(
    cases: tuple[Case, ...], schema_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """For each case's name, what is wrong with it."""
    folder = tmp_path_factory.mktemp("rendered")
    for number, case in enumerate(cases):
        (folder / f"{number}.yaml").write_text(case.text)
    found = kubeconform(schema_folder, folder)
    return {case.name: found.get(f"{number}.yaml", []) for number, case in enumerate(cases)}
