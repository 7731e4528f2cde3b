"""A study on its way to a cluster: one archive in the storage that both ends see.

``python -m dream.cluster.packed STORAGE KEY WORD…`` is the other end: it unpacks the archive and runs
``dream WORD… study.yaml`` there.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from dream.errors import DreamError
from dream.records import digest_of
from dream.storage import open_storage
from dream.study import Study

# The same for every archive, so that the same study is the same archive.
MOMENT = (1980, 1, 1, 0, 0, 0)

_CELLS = """
import base64
from dream.sweep.setting import load_notebook
load_notebook(base64.b64decode({data!r}))
"""


def send_study(study: Study, storage: str, notebook: bytes = b"") -> str:
    """Put the study and the files that it names into the storage; gives the archive's key.

    Raises:
        DreamError: the storage is a folder of this machine, or cannot be written.
    """
    if "://" not in storage:
        todo = "set DREAM_STORAGE=s3://bucket/prefix"
        raise DreamError("a cluster cannot see a folder of this machine", storage, todo)
    with tempfile.TemporaryDirectory(prefix="dream-study-") as folder:
        pack_study(study, Path(folder), notebook)
        archive = _zipped(Path(folder))
    key = f"submitted/{digest_of(archive.hex())[:16]}.zip"
    open_storage(storage).put(key, archive)
    return key


def pack_study(study: Study, folder: Path, notebook: bytes = b"") -> Path:
    """Write the study into a folder, with copies of the files that it names; gives the study's path.

    Secrets stay what they are in a study: names of environment variables, which the cluster has.
    """
    told = study.model_dump(mode="json", exclude_unset=True)
    if "://" not in study.corpus:
        shutil.copytree(study.path(study.corpus), folder / "corpus")
        told["corpus"] = "corpus"
    for place, file in enumerate(study.golden.files):
        if "://" not in file.path:
            target = folder / f"questions-{place}" / Path(file.path).name
            target.parent.mkdir()
            shutil.copy(study.path(file.path), target)
            told["golden"]["files"][place]["path"] = target.relative_to(folder).as_posix()
    modules = [Path(study.path(named)) for named in study.modules]
    for path in modules:
        shutil.copy(path, folder / path.name)
    names = [path.name for path in modules]
    if notebook:
        data = base64.b64encode(notebook).decode()
        (folder / "notebook_cells.py").write_text(_CELLS.format(data=data), encoding="utf-8")
        names.append("notebook_cells.py")
    if names:
        told["modules"] = names
    target = folder / "study.yaml"
    target.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target


def command_line(storage: str, key: str, words: Sequence[str]) -> str:
    """What a job runs to take up an archive."""
    return " ".join(["python", "-m", "dream.cluster.packed", storage, key, *words])


def unpack(storage: str, key: str, folder: Path) -> Path:
    """Lay the archive's files into a folder; gives the study file's path."""
    with zipfile.ZipFile(io.BytesIO(open_storage(storage).get(key))) as archive:
        archive.extractall(folder)
    return folder / "study.yaml"


def _zipped(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), MOMENT)
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Unpack, and become the command."""
    storage, key, *words = arguments
    study = unpack(storage, key, Path(tempfile.mkdtemp(prefix="dream-study-")))
    os.chdir(study.parent)
    command = [sys.executable, "-m", "dream.cli", *words, study.name, "--storage", storage]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main(sys.argv[1:])
