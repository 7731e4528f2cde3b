"""The study in MLflow: a parent run, one child for each arm, written once and then only brought up to date.

What is what is told by tags, never by names: ``dream.role`` is ``study`` or ``arm``, a study's run also
carries ``dream.study`` and ``dream.golden_digest``, an arm's run ``dream.arm`` and its parent's id. Other
questions make other scores, so a changed golden dataset gives a new parent; the old one is marked with
``dream.superseded``, as is the run of an arm that the study no longer has. Nothing is ever deleted.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dream.errors import DreamError
from dream.records import digest_of
from dream.tracking.address import Address, address_of, compare_link, without_secrets
from dream.tracking.client import open_client, quietly
from dream.tracking.content import Content, content_of_arm, content_of_study, metric_name, to_json_all
from dream.tracking.reach import reach
from dream.tracking.traces import log_traces
from dream.verdict.result import SweepResult

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

WRITTEN = "dream.written"  # the content's digest, set last: a run that was cut off has none


@dataclass(frozen=True)
class Tracked:
    """Where the results are.

    Attributes:
        run_id: the parent run.
        experiment_id: the experiment that holds it and its children.
        uri: the MLflow pages.
        compare_link: all arms that have scores, side by side as parallel coordinates.
        command: shell command that serves the pages; empty where a server does so already.
    """

    run_id: str
    experiment_id: str
    uri: str
    compare_link: str
    command: str


def log_result(
    result: SweepResult, tracking_uri: str | None, files: Mapping[str, Path], folder: Path = Path(".dream")
) -> Tracked:
    """Write a sweep's result to MLflow; what is there already is brought up to date, never doubled.

    Args:
        result: what to write. Of its lineage, ``golden_digest`` and ``golden_source`` (a path or an
            ``s3://`` address) describe the dataset; all of it becomes tags of the parent run.
        tracking_uri: an MLflow server or database; ``None`` for ``mlflow.db`` in ``folder``.
        files: artifacts of the parent run by name, such as ``{"report.html": path}``.
        folder: where the SQLite file and its artifacts go.

    Raises:
        DreamError: the address is unusable, nothing answers there, or MLflow refuses to write.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # MLflow reads it when it is imported
    address = address_of(tracking_uri, folder)
    for name, file in files.items():
        if not file.is_file():
            raise DreamError(f"{file} is no file", where=f"artifact {name}", todo="write it first")
    with quietly(), _told_in_one_sentence(address):
        reach(address)
        return _write_study(open_client(address), address, result, files)


def _write_study(
    client: MlflowClient, address: Address, result: SweepResult, files: Mapping[str, Path]
) -> Tracked:
    experiment = _experiment(client, f"dream/{result.study}", address)
    ended = int(time.time() * 1000)
    write = _Writer(client, experiment, _dataset(result), ended - int(result.usage.seconds * 1000), ended)

    digest = _golden_digest(result)
    identity = {"dream.role": "study", "dream.study": result.study, "dream.golden_digest": digest}
    parents = _runs(client, experiment, "tags.`dream.role` = 'study'")
    mine = [run for run in parents if _carries(run, identity)]
    parent = write.run(mine[0] if mine else None, identity, content_of_study(result, files))
    _supersede(client, [run for run in parents if run.info.run_id != parent])

    known = {
        run.data.tags.get("dream.arm"): run
        for run in _runs(client, experiment, f"tags.`mlflow.parentRunId` = '{parent}'")
    }
    identity = {"dream.role": "arm", "dream.study": result.study, "mlflow.parentRunId": parent}
    written, scored, verdict = {}, [], result.verdict()
    for arm in result.arms:
        run = known.get(arm.arm.id)
        written[arm.arm.id] = write.run(
            run, {**identity, "dream.arm": arm.arm.id}, content_of_arm(result, arm, verdict)
        )
        if arm.summary(result.objective).mean is not None:
            scored.append(written[arm.arm.id])
    _supersede(client, [run for arm_id, run in known.items() if arm_id not in written])

    log_traces(client, address.store, experiment, result, written)

    # an arm without scores would be a line through nothing
    drawn = _objective_first(client, scored, metric_name(result.objective)) or list(written.values())
    link = compare_link(address.pages, experiment, drawn)
    return Tracked(parent, experiment, address.pages, link, address.command)


def _objective_first(client: MlflowClient, runs: list[str], objective: str) -> list[str]:
    """The runs, and first among them one whose metrics begin with the objective.

    The plot begins with the first metric of the link's first run, in the order in which the database gives
    them; Postgres gives those that were updated in any order.
    """
    for run in runs:
        if next(iter(client.get_run(run).data.metrics), "") == objective:
            return [run, *(other for other in runs if other != run)]
    return runs


@dataclass(frozen=True)
class _Writer:
    """Writes runs of one experiment; what they share is given once."""

    client: MlflowClient
    experiment: str
    dataset: DatasetInput
    started: int
    ended: int

    def run(self, known: Run | None, identity: Mapping[str, str], content: Content) -> str:
        """Make the run, or bring the known one up to date; its id."""
        digest = content.digest
        if known and known.data.tags.get(WRITTEN) == digest:
            return str(known.info.run_id)
        from mlflow.entities import Metric, Param, RunTag

        run = known or self.client.create_run(
            self.experiment, start_time=self.started, tags=dict(identity), run_name=content.name
        )
        run_id: str = run.info.run_id
        self._artifacts(run_id, content)
        if not (known and known.inputs and known.inputs.dataset_inputs):
            self.client.log_inputs(run_id, datasets=[self.dataset])
        now = int(time.time() * 1000)
        first, rest = _in_order(run, content)
        if first:
            self.client.log_batch(
                run_id, metrics=[Metric(key, value, now, 0) for key, value in first.items()]
            )
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, 0) for key, value in rest.items()],
            params=[
                Param(key, text) for key, text in content.parameters.items() if key not in run.data.params
            ],
            tags=[RunTag(key, text) for key, text in {**content.tags, **identity}.items()],
        )
        if run.info.status != content.status:
            self.client.set_terminated(run_id, content.status, self.ended)
        self.client.set_tag(run_id, WRITTEN, digest)
        return run_id

    def _artifacts(self, run_id: str, content: Content) -> None:
        if not content.texts and not content.files:
            return
        with tempfile.TemporaryDirectory() as folder:
            for path, text in content.texts.items():
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            for path, file in content.files.items():
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
            # one call, which uploads in parallel; log_table would append to the table of the last time
            self.client.log_artifacts(run_id, folder)


def _in_order(run: Run, content: Content) -> tuple[dict[str, float], dict[str, float]]:
    """What to write of the metrics, and what after that.

    Postgres mostly puts behind what is updated: where a value changes, the objective is written before all
    others, though theirs may be the same, so that it stays the first that is shown.
    """
    changed = _changed(run, content)
    if not (run.data.metrics and changed):
        return {}, changed
    first = dict(list(content.metrics.items())[:1])
    return first, {key: value for key, value in {**content.metrics, **changed}.items() if key not in first}


def _changed(run: Run, content: Content) -> dict[str, float]:
    """Metrics whose value is new; one that has lost its value becomes NaN, as MLflow cannot forget it."""
    before: dict[str, float] = run.data.metrics
    after = {key: value for key, value in content.metrics.items() if before.get(key) != value}
    lost = {
        key: math.nan for key, value in before.items() if key not in content.metrics and not math.isnan(value)
    }
    return after | lost


def _supersede(client: MlflowClient, runs: list[Run]) -> None:
    for run in runs:
        if run.data.tags.get("dream.superseded") != "true":
            client.set_tag(run.info.run_id, "dream.superseded", "true")
            client.set_tag(run.info.run_id, WRITTEN, "")  # so that it is written again if it comes back


def _runs(client: MlflowClient, experiment: str, condition: str) -> list[Run]:
    """All runs that match, oldest first."""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], condition, order_by=["start_time ASC"], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _carries(run: Run, tags: Mapping[str, str]) -> bool:
    return all(run.data.tags.get(key) == value for key, value in tags.items())


def _experiment(client: MlflowClient, name: str, address: Address) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=address.artifacts))
    if found.lifecycle_stage == "deleted":  # its name stays taken, so the only way to write is to restore it
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _golden_digest(result: SweepResult) -> str:
    return str(result.lineage.get("golden_digest") or digest_of(to_json_all(result.questions)))


def _dataset(result: SweepResult) -> DatasetInput:
    """The golden dataset as an input of every run, under its own digest."""
    import pandas as pd
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import Dataset, DatasetInput, InputTag

    columns = ["id", "question", "reference", "kind", "origin"]
    rows = [[getattr(question, column) for column in columns] for question in result.questions]
    source = result.lineage.get("golden_source") or CodeDatasetSource(
        {"mlflow.source.name": "dream golden build"}
    )
    digest = _golden_digest(result)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a path has two readings, both of them the same class
        made = from_pandas(
            pd.DataFrame(rows, columns=columns),
            source=str(source) if isinstance(source, Path) else source,
            targets="reference",
            name=f"{result.study} golden",
            digest=digest[:36],  # MLflow's limit; the whole of it is a tag
        )
    tags = [InputTag("mlflow.data.context", "evaluation"), InputTag("dream.golden_digest", digest)]
    return DatasetInput(Dataset(**made.to_dict()), tags)


@contextlib.contextmanager
def _told_in_one_sentence(address: Address) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except DreamError:
        raise
    except Exception as error:  # its own kinds, and those of databases, networks and disks  # noqa: BLE001
        first = without_secrets(str(error).strip().partition("\n")[0])
        what = first if isinstance(error, MlflowException) else f"{type(error).__name__}: {first}"
        raise DreamError(what, where=f"MLflow at {address.pages}", todo="see `dream doctor`") from None
