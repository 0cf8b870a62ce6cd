"""Cells that are proposed from the results of earlier ones, in batches.

Tree-structured Parzen estimators: Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011). CMA-ES:
Hansen and Ostermeier (2001). Both as in optuna. A batch is proposed when the one before is over, and told in its own
order: neither the number of workers nor who finishes first changes anything, and a sweep that is continued goes
through the same proposals again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.design import Cell, rounded
from evolora_mesa.study.sweep.spec import DesignSpec, Factor, Range, SweepSpec

if TYPE_CHECKING:
    import optuna

__all__ = ["Proposals"]


class Proposals:
    """The cells of an adaptive design, as far as they are known.

    Args:
        spec: whose design is adaptive.

    Attributes:
        cells: proposed so far, each once.

    Raises:
        ConfigError: optuna or its CMA-ES is not installed.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec
        self._study = _new_study(spec.design)
        self._batch: list[tuple[optuna.Trial, Cell]] = []
        self._asked = 0
        self.cells: list[Cell] = []

    def advance(self, value_of: Callable[[Cell], float | None], is_over: Callable[[Cell], bool]) -> None:
        """Propose as many further cells as the results allow.

        Args:
            value_of: the objective of a cell that is over; `None` if nobody could measure it.
            is_over: whether a cell needs no more runs.
        """
        while all(is_over(cell) for _, cell in self._batch):
            for trial, cell in self._batch:
                self._tell(trial, value_of(cell))
            count = min(self._spec.design.batch, self._spec.design.samples - self._asked)
            self._batch = [self._ask() for _ in range(count)]
            if count == 0:
                return

    def _tell(self, trial: optuna.Trial, value: float | None) -> None:
        import optuna

        if value is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, value)

    def _ask(self) -> tuple[optuna.Trial, Cell]:
        self._asked += 1
        trial = self._study.ask()
        levels = {name: _suggested(trial, name, factor) for name, factor in self._spec.factors.items()}
        known = next((cell for cell in self.cells if cell.levels == levels), None)
        if known is None:
            known = Cell(len(self.cells), levels)
            self.cells.append(known)
        return trial, known


def _suggested(trial: optuna.Trial, name: str, factor: Factor) -> Any:
    if not isinstance(factor, Range):
        levels = tuple(factor)
        return levels[trial.suggest_categorical(name, range(len(levels)))]
    log = factor.scale == "log"
    if factor.whole:
        return trial.suggest_int(name, int(factor.low), int(factor.high), log=log)
    return rounded(factor, trial.suggest_float(name, factor.low, factor.high, log=log))


def _new_study(design: DesignSpec) -> optuna.Study:
    try:
        import optuna

        if design.sampler == "cmaes":
            import cmaes  # noqa: F401  optuna imports it as late as the second batch
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed", where="design.method", do="pip install 'evolora-mesa[opt]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: optuna.samplers.BaseSampler
        if design.sampler == "cmaes":
            sampler = optuna.samplers.CmaEsSampler(seed=design.seed, warn_independent_sampling=False)
        else:  # the liar spreads a batch out: cells that are being run count as bad ones
            sampler = optuna.samplers.TPESampler(seed=design.seed, constant_liar=True)
    return optuna.create_study(direction=design.direction, sampler=sampler)
