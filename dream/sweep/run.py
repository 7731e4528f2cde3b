"""Runs the arms that have no result yet as Ray Tune trials, and gathers the results of all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dream.errors import DreamError, StorageError
from dream.ledger import Ledger
from dream.models.limits import bounds_of
from dream.records import from_json, to_json
from dream.start_up import collect_rarely
from dream.sweep.prepare import Awaited
from dream.sweep.progress import Reporter, tell_logs
from dream.sweep.result import Arm, ArmResult
from dream.sweep.setting import Setting
from dream.sweep.trial import run_arm

log = logging.getLogger(__name__)

# Trials that share what the limits allow end together, and while they end few calls are under way; the more
# of them there are at once, the fewer such ends.
FEWEST_AT_ONCE = 4
TRYING = 0.5  # of all processors; the other half makes indexes


def recorded(setting: Setting, arm: Arm, ledger: Ledger) -> ArmResult | None:
    """The arm's results as its last trial left them, whole or not."""
    found = ledger.find("trial", setting.trial_inputs(arm))
    if not found:
        return None
    for row in found["rows"]:
        for chunk in (row["answer"] or {}).get("contexts", ()):
            chunk["text"] = sys.intern(chunk["text"])  # one copy for all rows and arms that were shown it
    return from_json(ArmResult, {**found, "arm": to_json(arm)})


def whole(result: ArmResult) -> bool:
    """Whether nothing is left to do: a row without an answer or a score is tried again."""
    return not result.error and not any(
        row.error or any(score.missing for score in row.scores) for row in result.rows
    )


def trials_at_once(setting: Setting, arms: int) -> int:
    """How many of the arms are tried at the same time; Ray must be running."""
    return min(arms, setting.study.limits.trials_at_once or max(FEWEST_AT_ONCE, _processors()))


def _processors() -> int:
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]


def run_trials(setting: Setting, arms: Sequence[Awaited], ledger: Ledger, tally: Any) -> dict[str, ArmResult]:
    """Try the arms, all on the same questions; gives their results by the arms' ids.

    An arm that fails has a result with the reason; the others are not touched by it.

    A storage that cannot be written any more ends the trials under way with that reason; what was
    recorded is kept.

    Raises:
        KeyboardInterrupt: the user stopped the run; what was finished is in the ledger.
    """
    errors: dict[str, str] = {}
    while waiting := [each for each in arms if each.arm.id not in errors]:
        errors |= _tune(setting, waiting, tally)
    return {each.arm.id: _outcome(setting, each.arm, ledger, errors[each.arm.id]) for each in arms}


def _outcome(setting: Setting, arm: Arm, ledger: Ledger, error: str) -> ArmResult:
    try:
        found = None if error else recorded(setting, arm, ledger)
    except StorageError as lost:
        error = str(lost)
    return found if not error and found else ArmResult(arm, error=error or "the trial was lost")


def _tune(setting: Setting, arms: Sequence[Awaited], tally: Any) -> dict[str, str]:
    """Wait for the first arm, try those that are ready until none is; gives what broke each, or nothing."""
    from ray import tune
    from ray.tune.execution import class_cache

    from dream.sweep.waiting_arms import OwnProcess, Room, WaitingArms

    at_once = trials_at_once(setting, len(arms))
    trainable = tune.with_resources(
        tune.with_parameters(_trial, setting=setting, tally=tally),
        # A trial waits for models: it takes a share of a processor, so that all may run at once beside those
        # who make the indexes of the next.
        {"cpu": min(TRYING, TRYING * _processors() / at_once)},
    )
    # Tune would hand the keys of the driver's store to the trials, and Ray writes what is handed over into
    # its logs; every process of a run finds the keys in its own environment.
    handed = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in handed if not name.startswith("AWS_")}
    # A variable for PyTorch Lightning alone; for any at all, Ray starts processes anew that import it twice.
    class_cache.DEFAULT_ENV_VARS = {}
    # Nobody reads Tune's own state, for the ledger is the record; kept on this machine it needs neither a
    # bucket that is away for a moment nor room on the ledger's disk.
    with tempfile.TemporaryDirectory(prefix="dream-tune-", ignore_cleanup_errors=True) as state:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=WaitingArms(arms, Room(tally, _processors())),
                scheduler=OwnProcess(),  # type: ignore[no-untyped-call]
                num_samples=len(arms),
                reuse_actors=True,
                max_concurrent_trials=at_once,
            ),
            run_config=tune.RunConfig(
                name=setting.study.name,
                storage_path=state,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=2),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        while not any(each.ready() for each in arms):
            arms[0].ready(seconds=0.5)
        with _ctrl_c_raises():
            found = tuner.fit()
        outcomes = [found[place] for place in range(len(found))]
    ended = {
        each.arm.id: f"its index could not be built: {reason}"
        for each in arms
        if each.ready() and (reason := each.reason())
    }
    for outcome in outcomes:
        arm = from_json(Arm, (outcome.config or {})["arm"])
        metrics = outcome.metrics or {}
        if outcome.error is not None:
            ended[arm.id] = str(outcome.error).strip().splitlines()[-1]
        elif "questions" in metrics:
            ended[arm.id] = str(metrics.get("broken", ""))
        else:  # Tune ends quietly when it is interrupted
            raise KeyboardInterrupt
    return ended


@contextmanager
def _ctrl_c_raises() -> Iterator[None]:
    """Tune takes Ctrl-C and ends quietly; it gives it back where that was pressed, and else keeps it."""
    import ray

    handler = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not here or handler is None or ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]
        yield  # then Tune has not taken it
        return
    try:
        yield
        if signal.getsignal(signal.SIGINT) is handler:
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, handler)


def _trial(config: dict[str, Any], setting: Setting, tally: Any) -> None:
    """One Ray Tune trial; its results go to the ledger, Tune hears the means only."""
    from ray import tune

    collect_rarely()
    tell_logs(tally)
    arm = from_json(Arm, config["arm"])
    ledger = setting.open_ledger()
    inputs = setting.trial_inputs(arm)
    reporter = Reporter(tally)
    totals: dict[str, float] = {}

    def tell(sums: Mapping[str, float]) -> None:
        totals.update(sums)
        reporter.tell(sums)

    try:
        bounds = bounds_of(setting.study, setting.storage)
        log.info("%s: begins", arm.name)
        result = asyncio.run(run_arm(setting, arm, ledger, bounds, tell))
        log.info("%s: %d answers and their scores", arm.name, len(result.rows))
        ledger.record("trial", inputs, {**to_json(result), "arm": None})
    except DreamError as broken:
        tune.report({"questions": 0, "broken": str(broken)})
        return
    finally:
        with contextlib.suppress(Exception):
            reporter.tell({**totals, "trials": 1}, now=True)
    means = {name: result.summary(name).mean for name in setting.study.metrics}
    tune.report(
        {"questions": len(result.rows), **{name: mean for name, mean in means.items() if mean is not None}}
    )
