"""A run of a world of ours inside a sweep: begun, gone on with, or only looked at again."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import torch

from evolora_mesa.config import HostConfig, WorldConfig
from evolora_mesa.errors import HostError, RunError
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.continuing import newest, settings_of, world_at
from evolora_mesa.record.layout import ADAPTERS_FOLDER, CHECKPOINT_FOLDER, STORE_FILE, SUMMARY_FILE
from evolora_mesa.record.live import summarise
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.record.store import RunStore
from evolora_mesa.record.summary import read_summary
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.life import Life, empty, mark, mark_of
from evolora_mesa.study.sweep.runlog import RunLog
from evolora_mesa.study.sweep.stopping import Stopping
from evolora_mesa.study.worth import worth

if TYPE_CHECKING:
    from evolora_mesa.host import HostService
    from evolora_mesa.record.checkpoint import Checkpoint

__all__ = ["HEAVY", "config_of", "host_of", "live_world"]

HEAVY: Final = (ADAPTERS_FOLDER, CHECKPOINT_FOLDER)  # what a run leaves beside its records

Measured: TypeAlias = Callable[[str], Mapping[str, float]]  # of the survivors

# One at most, with the precision of products that its loading chose for the whole process.
_held: dict[HostConfig, tuple[HostService, str]] = {}


def config_of(job: Job) -> WorldConfig:
    """The whole settings of the world; its name is the key of the run."""
    given = {"name": job.key, "seed": job.seed, "generations": job.generations}
    return WorldConfig.model_validate({**job.settings, **given})


def host_of(config: WorldConfig) -> HostService:
    """The loaded host, shared by the runs that a process lives one after another.

    Raises:
        HostError: it cannot be loaded.
    """
    if config.host not in _held:
        _held.clear()
        torch.set_float32_matmul_precision("highest")  # another host may have tuned it
        _held[config.host] = host_for(config), torch.get_float32_matmul_precision()
    host, precision = _held[config.host]
    torch.set_float32_matmul_precision(precision)  # somebody in this process may have changed it since
    return host


def live_world(job: Job, folder: Path, log: RunLog) -> Life:
    """Live a run to its end, from its newest checkpoint if the same code has begun it already.

    Raises:
        EvoloraError: the world cannot be founded, or the folder cannot be written.
    """
    config, code = config_of(job), code_version(job.model)
    known = mark_of(folder)
    checkpoint = None
    if known is not None and known.job.key == job.key:
        checkpoint = _newest(folder, config)
        is_over = (folder / SUMMARY_FILE).exists()
        if is_over and (checkpoint is not None or not _needs_survivors(job)):
            return _looked_at(folder, config, known.code)
        if is_over or known.code != code:
            checkpoint = None
    with contextlib.ExitStack() as stack:
        host = host_of(config)
        if checkpoint is None:
            log.take_back()
            empty(folder)
            model = EcologyModel(config, host=host)
            record = stack.enter_context(RunFolder(folder, config, host.fingerprint()))
            mark(folder, job)
        else:
            stack.enter_context(RunLock(folder))
            model = _restored(folder, config, checkpoint)
            record = stack.enter_context(RunFolder.reopen(folder, config, model.tick))
        log.settle()
        outcome = _live(model, record, Stopping(job))
        digest = record.store.digest
    return _life(folder, outcome, model.tick, digest, code, lambda pool: _worth(model, pool))


def _live(model: EcologyModel, record: RunFolder, rules: Stopping) -> str:
    """To the end; how it came."""
    identity = model.host.fingerprint()
    record.attach(model)
    for row in record.store.tail(-1) if rules.figure else ():  # also what was lived before this process
        rules.see(row)
    while not (outcome := rules.outcome(model.tick, extinct=not len(model.agents))):
        record.checkpoint(model, due=False)
        model.step()
        rules.see(model.snapshot.row)
    if model.host.host.weight_hash() != identity["weights"]:
        raise HostError("the host's weights changed during the run", where=model.config.host.path)
    record.checkpoint(model)
    summary = summarise(model, "finished", identity, record.store)
    record.finish(model, {**summary, "outcome": outcome, "ended_by": None})
    return outcome


def _looked_at(folder: Path, config: WorldConfig, code: str) -> Life:
    """A run that is over already; its survivors come back when they are asked for."""

    def measured(pool: str) -> Mapping[str, float]:
        return _worth(_restored(folder, config, newest(folder, config)), pool)

    with RunStore.open(folder / STORE_FILE) as store:
        generation, digest = store.position
    outcome = str(read_summary(folder / SUMMARY_FILE)["outcome"])
    return _life(folder, outcome, generation, digest, code, measured)


def _life(folder: Path, outcome: str, generations: int, digest: str, code: str, measured: Measured) -> Life:
    with RunStore.open(folder / STORE_FILE) as store:
        rows = store.tail(-1)
    names = [name for name in rows[0] if name not in ("generation", "digest")]
    figures = {name: [row[name] for row in rows] for name in names}
    return Life(outcome, generations, digest, code, figures, folder / STORE_FILE, measured)


def _newest(folder: Path, config: WorldConfig) -> Checkpoint | None:
    """What the run can go on from; without it, it is lived anew, which comes to the same."""
    try:
        return newest(folder, config)
    except RunError:
        return None


def _restored(folder: Path, config: WorldConfig, checkpoint: Checkpoint) -> EcologyModel:
    return world_at(checkpoint, config, settings_of(folder)[1], host_of(config))


def _needs_survivors(job: Job) -> bool:
    return any(metric.get("worth") is not None for metric in job.metrics.values())


def _worth(model: EcologyModel, pool: str) -> Mapping[str, float]:
    found = worth(model, "test" if pool == "test" else "select")
    return {name: math.nan if value is None else float(value) for name, value in found._asdict().items()}
