"""The facts that a report on a classic's run tells, as its newest checkpoint has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.compare.work import outcome_of
from evolora_mesa.alife.invariants import INVARIANTS, energy_changes
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import CAUSES, OPS
from evolora_mesa.alife.metrics import METRICS, Finding
from evolora_mesa.alife.runs import ClassicConfig, arguments_of, checkpointed, ended_by_itself, summary_of
from evolora_mesa.errors import LogError
from evolora_mesa.record.lock import RunLock

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = ["SHADOWS", "Accounts", "ClassicFacts", "read_classic"]

SHADOWS: Final = 20  # of each run, as in a comparison
_FOUNDING: Final = [OPS.index(op) for op in ("init", "inject", "migrate")]
_NO_LOG: Final = "the run kept no event log (record: false)"


@dataclass(frozen=True)
class Accounts:
    """The energy of the living over a run, of which the founding is the first snapshot and the end the last.

    Attributes:
        moved: sum by account; what left the living is negative.
        gained: what they hold more at the end.
    """

    moved: Mapping[str, float]
    gained: float


@dataclass(frozen=True, eq=False)
class ClassicFacts:
    """What is known of a run.

    Attributes:
        path: its folder.
        config: its settings, with the length that was asked for last.
        arguments: of the model's constructor, all of them, by name.
        step: of the newest checkpoint.
        ending: how far it has come, in words.
        series: by model reporter, ``(step + 1,)``.
        log: as it was recorded, whether it adds up or not.
        picture: of the model, as `EvoModel.picture` gives it.
        measured: what the ruler says of it; with ``error`` where there is nothing to measure.
        notes: what the reader has to know of the folder.
    """

    path: Path
    config: ClassicConfig
    arguments: Mapping[str, Any]
    step: int
    ending: str
    series: Mapping[str, NDArray[np.float64]]
    log: EventLog
    picture: Mapping[str, Any]
    measured: Outcome
    notes: tuple[str, ...]

    # ---------------------------------------------------------------- lives

    @property
    def founders(self) -> int:
        return int(np.isin(self.log.stream("births")["op"], _FOUNDING).sum())

    @cached_property
    def born(self) -> NDArray[np.int64]:
        """Births after the founding, by step, ``(step + 1,)``."""
        births = self.log.stream("births")
        return self._by_step(births["step"][~np.isin(births["op"], _FOUNDING)])

    @cached_property
    def died(self) -> NDArray[np.int64]:
        """Deaths by step, ``(step + 1,)``."""
        return self._by_step(self.log.stream("deaths")["step"])

    @cached_property
    def alive(self) -> NDArray[np.int64]:
        """Agents at the end of each step, ``(step + 1,)``."""
        return np.cumsum(self._by_step(self.log.stream("births")["step"]) - self.died)

    def _by_step(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(steps, minlength=self.step + 1)[: self.step + 1]

    @property
    def causes(self) -> dict[str, int]:
        """Deaths by their cause, those that occurred."""
        counts = np.bincount(self.log.stream("deaths")["cause"], minlength=len(CAUSES)).tolist()
        return {cause: count for cause, count in zip(CAUSES, counts, strict=False) if count}

    # ---------------------------------------------------------------- what it says

    def finding(self, metric: str) -> Finding:
        """A metric beside its shadows; n/a, with the reason, where nothing could be measured."""
        if self.measured.error:
            return Finding(None, METRICS[metric].unit, why=self.measured.error)
        value, shadows, why = self.measured.findings[metric]
        return Finding(value, METRICS[metric].unit, tuple(shadows), why)

    @property
    def is_kept(self) -> bool:
        """There is a log."""
        return self.log.enabled

    @cached_property
    def checks(self) -> dict[str, str | None]:
        """What is wrong by invariant, None for nothing; after the first fault no others are looked at."""
        found: dict[str, str | None] = {}
        for name, invariant in INVARIANTS.items() if self.is_kept else ():
            found[name] = invariant(self.log)
            if found[name] is not None:
                break
        return found

    def accounts(self) -> Accounts | None:
        """None in a model without energy, and of a log that does not add up."""
        rows = self.log.stream("energy")
        if not len(rows) or self.measured.error:
            return None
        names = self.log.keys("account")
        sums = np.bincount(rows["account"], rows["amount"], minlength=len(names))
        moved = {str(name): total for name, total in zip(names, sums.tolist(), strict=True) if total}
        return Accounts(moved, float(energy_changes(self.log)[0][-1]))


def read_classic(run: Path, *, shadows: int = SHADOWS) -> ClassicFacts:
    """Read a run, which somebody may be writing, and measure its log.

    Raises:
        RunError: it cannot be read.
    """
    # Before the checkpoint: the last one, and then the summary, may come while it is read.
    is_held, summary = RunLock.is_held(run), summary_of(run)
    model, config = checkpointed(run)
    log = model.log
    try:
        if not log.enabled:
            raise LogError(_NO_LOG)
        log = model.finished_log()
        measured = outcome_of(log, config.model, config.seed, shadows=shadows)
    except LogError as error:
        measured = Outcome(config.model, "full", config.seed, error=str(error))
    return ClassicFacts(
        path=run,
        config=config,
        arguments=arguments_of(config),
        step=model.tick,
        ending=_ending(model, config, summary, is_held=is_held),
        series={name: np.array(values, float) for name, values in model.series().items()},
        log=log,
        picture=model.picture(),
        measured=measured,
        notes=_notes(summary, model.tick),
    )


def _ending(model: EvoModel, config: ClassicConfig, summary: Mapping[str, Any] | None, *, is_held: bool) -> str:
    if model.tick >= config.generations:
        return f"finished after {model.tick} steps"
    if not model.running or ended_by_itself(summary, model.tick):
        return f"the model ended by itself in step {model.tick} of {config.generations}"
    state = "still running" if is_held else "ended early"
    return f"step {model.tick} of {config.generations}: {state}"


def _notes(summary: Mapping[str, Any] | None, step: int) -> tuple[str, ...]:
    told = (summary or {}).get("generations")
    if not isinstance(told, int) or told >= step:
        return ()
    return (f"log/, series.csv and summary.json are of an earlier end, in step {told}; this page is of step {step}.",)
