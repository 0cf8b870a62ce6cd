"""One run of one column, from its founding to what the ruler says of it; plain values leave the worker."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from evolora_mesa.alife import model_class
from evolora_mesa.alife.compare.columns import EVOLORA, Column
from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.compare.sketch import sketch_of
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import OPS
from evolora_mesa.alife.metrics import METRICS, measure
from evolora_mesa.errors import EvoloraError

__all__ = ["outcome_of", "run_column"]

_FOUNDING: Final = [OPS.index(op) for op in ("init", "inject", "migrate")]


def run_column(column: Column, seed: int, *, shadows: int, folder: Path) -> Outcome:
    """Live a column with a seed, measure its log, and say what it took.

    Args:
        folder: where runs of Evolora are kept.

    Returns:
        With ``error`` instead of figures when the model or the log failed: such a run counts too.
    """
    began = time.process_time()
    try:
        log = _evolora(column, seed, folder) if column.model == EVOLORA else _classic(column, seed)
        lived = time.process_time() - began
        found = outcome_of(log, column.name, seed, shadows=shadows)
    except EvoloraError as error:
        return Outcome(column.name, column.size, seed, error=str(error), cpu_seconds=time.process_time() - began)
    return replace(found, size=column.size, cpu_seconds=lived)


def outcome_of(log: EventLog, column: str, seed: int, *, shadows: int) -> Outcome:
    """Measure the closed log of one run.

    Args:
        column: that the run belongs to.

    Raises:
        LogError: the log cannot be measured.
    """
    said = measure(log, METRICS, shadows=shadows, seed=seed)
    findings = {name: (found.value, list(found.shadows), found.why) for name, found in said.findings.items()}
    return Outcome(
        column=column,
        size="full",
        seed=seed,
        capabilities=sorted(log.capabilities),
        findings=findings,
        dynamics=said.dynamics,
        trends={name: trend.verdict for name, trend in said.trends.items()},
        sketch=sketch_of(log, said),
        **_cost(log),
    )


def _classic(column: Column, seed: int) -> EventLog:
    model = model_class(column.model)(rng=seed, **column.settings)
    founders = len(model.log.stream("births"))
    while model.running and model.tick < column.steps and _anybody(model.log):
        model.step()
        if column.births and len(model.log.stream("births")) - founders >= column.births:
            break
    return model.finished_log()


def _anybody(log: EventLog) -> bool:
    return len(log.stream("births")) > len(log.stream("deaths"))


def _evolora(column: Column, seed: int, folder: Path) -> EventLog:
    """A shipped world on its shipped host, recorded as `evolora run` does; or a run that is there."""
    from evolora_mesa.alife.evolora_log import evolora_log

    if "runs" in column.settings:
        return evolora_log(column.settings["runs"][seed])
    from evolora_mesa.configfile import load_config
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.record.live import record_run
    from evolora_mesa.record.runfolder import RunFolder, default_folder

    given = {"seed": seed, "generations": column.steps, "host.threads": 1, "record.checkpoint_every": 0}
    world = load_config(column.settings["config"], given)
    model = EcologyModel(world)
    place = default_folder(world, folder)
    with RunFolder(place, world, model.host.fingerprint()) as run:
        record_run(model, run, io.StringIO(), quiet=True)
    return evolora_log(place)


def _cost(log: EventLog) -> dict[str, Any]:
    """What a run consisted of; ``population`` is the mean over the last two thirds of its snapshots."""
    births, sizes = log.stream("births"), log.stream("marks")["size"]
    times = log.stream("marks")["time_gen"]
    snapshots = log.stream("snapshots")
    late = snapshots["fitness"][len(snapshots) // 3 :]
    known = late[np.isfinite(late)]
    return {
        "population": float(sizes[len(sizes) // 3 :].mean()) if len(sizes) else 0.0,
        "births": int((~np.isin(births["op"], _FOUNDING)).sum()),
        "generations": float(times[-1] - times[0]) if len(times) else 0.0,
        "steps": int(log.stream("marks")["step"][-1]) if len(times) else 0,
        "evaluations": len(log.stream("evals")),
        "fitness": float(known.mean()) if len(known) else None,
        "extinct": not _anybody(log),
    }
