"""Sweeps for tests, from as few words as each needs; and results without any run behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.reading import make_spec
from evolora_mesa.study.sweep.spec import SweepSpec

SUCCESS = {"success": {"figure": "success_rate"}}
BOLTZMANN = "mesa.examples.basic.boltzmann_wealth_model.model:BoltzmannWealth"


def spec_of(**given: Any) -> SweepSpec:
    """A sweep over the smoke world's ticket, but for what is given."""
    tree = {"base": "smoke", "factors": {"economy.ticket": [0.5, 1.0]}, "metrics": SUCCESS, "seeds": 2}
    return make_spec({**tree, **given})


def measured(value: float | None, **facts: Any) -> Result:
    return Result(metrics={"success": value}, **facts)


def lived(jobs: Iterable[Job], value_of: Callable[[Mapping[str, Any], int], float | None]) -> dict[str, Result]:
    """Results of jobs by key: what ``value_of`` their settings and seed says."""
    return {job.key: measured(value_of(job.settings, job.seed)) for job in jobs}


def to_the_end(
    agenda: Agenda,
    value_of: Callable[[Mapping[str, Any], int], float | None],
    *,
    workers: int = 1,
    backwards: bool = False,
) -> dict[str, Result]:
    """Live a whole sweep, so many jobs at a time, in the order they are offered in or against it."""
    results: dict[str, Result] = {}
    while ready := agenda.ready(results):
        chosen = ready[-workers:] if backwards else ready[:workers]
        results |= lived(chosen, value_of)
    return results
