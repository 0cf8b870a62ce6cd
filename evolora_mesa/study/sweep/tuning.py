"""Tuning: settings are searched by runs that cannot see the pool `test`; the best are judged by other runs that can.

The search is an adaptive sweep. Whoever is best of many was also lucky, so its value there is too good (the winner's
curse: Capen, Clapp and Campbell, "Competitive Bidding in High-Risk Situations", 1971). Hence a second sweep, the
comparison: the best cell and the untuned settings, paired by seeds that the search never saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.schema import section_of
from evolora_mesa.settings import Section
from evolora_mesa.strictyaml import dump_yaml
from evolora_mesa.study.sweep.job import OURS
from evolora_mesa.study.sweep.reading import make_spec
from evolora_mesa.study.sweep.results import Row
from evolora_mesa.study.sweep.seeds import seeds_of
from evolora_mesa.study.sweep.spec import MetricSpec, SweepSpec, Value
from evolora_mesa.study.sweep.summary import CellRow, best_cell, by_cell, summarize

__all__ = [
    "EPISODES",
    "FACTOR",
    "ON_TEST",
    "TUNED",
    "UNTUNED",
    "Cost",
    "best_of",
    "comparison_of",
    "cost_of",
    "search_of",
    "settings_text",
]

FACTOR: Final = "settings"  # of the comparison
UNTUNED, TUNED = "untuned", "tuned"  # its levels
ON_TEST: Final = " on test"  # ends the name of a metric that the search had on `select`
EPISODES: Final = "episodes"  # metric that tells what a tuning cost

_COUNTED: Final = MetricSpec(figure="episodes", reduce="sum", better="lower")
_LIVED: Final = MetricSpec(worth="lived", pool="test")
_FRESH: Final = 0x74756E65  # "tune": child of the root seed from which no search has seeds
_LONGEST_NAME: Final = 100


class Cost(NamedTuple):
    """What runs have used.

    Attributes:
        runs: that have ended, each once.
        failed: of these.
        episodes: tasks answered; `None` where nobody counted.
        seconds: processor time.
    """

    runs: int
    failed: int
    episodes: int | None
    seconds: float


def search_of(spec: SweepSpec, trials: int | None = None) -> SweepSpec:
    """The search that a sweep's specification asks for; worlds of ours also count their episodes.

    Args:
        trials: cells to propose, instead of ``design.samples``.

    Raises:
        ConfigError: it is no search, looks at `test`, or takes for better what its report takes for worse.
    """
    design = spec.design
    if design.method != "adaptive":
        do = "Set it, with objective: and ranges as factors."
        raise ConfigError("tuning is a search", where="design.method", expected="adaptive", got=design.method, do=do)
    for name, metric in spec.metrics.items():
        if metric.worth is not None and metric.pool == "test":
            do = "Set pool: select; the best is measured on test afterwards."
            raise ConfigError("a search may not look at test", where=f"metrics.{name}", do=do)
    better = "higher" if design.direction == "maximize" else "lower"
    if spec.metrics[design.objective].better != better:
        raise ConfigError(
            "the search and its objective disagree on what is better",
            where=f"metrics.{design.objective}.better",
            expected=f"{better}, for design.direction is {design.direction}",
            got=spec.metrics[design.objective].better,
        )
    counted = {EPISODES: _COUNTED} if spec.model == OURS else {}
    samples = design.samples if trials is None else trials
    changes = {"design": design.model_copy(update={"samples": samples}), "metrics": {**counted, **spec.metrics}}
    return spec.model_copy(update=changes)


def comparison_of(search: SweepSpec, levels: Mapping[str, Value], seeds: int) -> SweepSpec:
    """The sweep of two cells, untuned and tuned, on seeds that the search does not have.

    Every worth that the search had on `select` is there on `test` too, first of all; a world whose search had none gets
    one. The untuned cell is the search's ``baseline``, by default its world as it is.

    Args:
        levels: of the best cell, by factor.
        seeds: of each cell.
    """
    on_test = {
        f"{name}{ON_TEST}": metric.model_copy(update={"pool": "test"})
        for name, metric in sorted(search.metrics.items(), key=lambda item: item[0] != search.design.objective)
        if metric.worth is not None
    }
    if search.model == OURS and not on_test:
        on_test = {f"accuracy{ON_TEST}": _LIVED}
    metrics = {**on_test, search.design.objective: search.metrics[search.design.objective], **search.metrics}
    tree = search.model_dump(mode="json", exclude={"design", "decision"})
    settings = {UNTUNED: search.settings_of(search.baseline or {}), TUNED: search.settings_of(levels)}
    return make_spec(
        {
            **tree,
            "name": f"{search.name[: _LONGEST_NAME - 11]}-comparison",
            "factors": {FACTOR: settings},
            "baseline": {FACTOR: UNTUNED},
            "seeds": seeds,
            "root_seed": _fresh_root(search, seeds),
            "stop": {**tree["stop"], "half_width": None},  # what is to be claimed has a fixed number of seeds
            "metrics": {name: metric.model_dump(mode="json") for name, metric in metrics.items()},
        }
    )


def best_of(search: SweepSpec, rows: Iterable[Row]) -> CellRow:
    """The best cell of the objective, of those that have it in every run: who failed where it was hard looks too good.

    Raises:
        RunError: there is none.
    """
    objective = search.design.objective
    whole = [cell for cell in by_cell(rows) if len(cell.values(objective)) == len(cell.runs)]
    runs = [run for cell in whole for run in cell.runs]
    best = best_cell(search, summarize(search, runs, [objective]), objective)
    if best is None:
        do = "See the errors in its results.csv."
        raise RunError("the search has found nothing", expected=f"a cell with {objective} in every run", do=do)
    return best


def cost_of(rows: Iterable[Row]) -> Cost:
    """What runs have used; cells that come to the same settings share theirs."""
    results = [result for result in {row.key: row.result for row in rows}.values() if result is not None]
    episodes = [result.metrics[EPISODES] for result in results if EPISODES in result.metrics]
    return Cost(
        len(results),
        sum(result.failure is not None for result in results),
        round(sum(number for number in episodes if number is not None)) if episodes else None,
        sum(result.cpu_seconds for result in results),
    )


def settings_text(search: SweepSpec, best: CellRow) -> str:
    """The best settings as a file: a world for ``evolora run``, or of another model the part of a sweep."""
    settings = search.settings_of(best.levels)
    known = f"{best.metric} {best.interval.mean:.6g} in the search, where it was chosen for that"
    remark = f"# Found by `evolora tune`: {known}. What it is worth on new seeds stands in tuning.html.\n\n"
    if search.model != OURS:
        return remark + dump_yaml({"model": search.model, "set": settings, "generations": search.generations})
    name = search.base or "ecology"
    base = load_config(name)
    world = load_config(base, settings)
    length = {} if search.generations is None else {"generations": search.generations}
    tree: dict[str, Any] = {"extends": name, "name": f"{search.name[: _LONGEST_NAME - 5]}-best", **length}
    before, after = (config.model_dump(mode="json") for config in (base, world))
    tree |= _differences(before, after, WorldConfig)
    return remark + dump_yaml(tree)


def _fresh_root(search: SweepSpec, seeds: int) -> int:
    """A root whose seeds the search does not have."""
    seen = set(seeds_of(search.root_seed, search.seeds))
    children = (np.random.SeedSequence(search.root_seed, spawn_key=(_FRESH, child)) for child in count())
    roots = (int(child.generate_state(1, np.uint64)[0]) >> 1 for child in children)
    return next(root for root in roots if seen.isdisjoint(seeds_of(root, seeds)))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], home: type[Section]) -> dict[str, Any]:
    """Settings of ``after`` that are others than before; lists and tables whole, as a file would replace them."""
    found: dict[str, Any] = {}
    for name, field in home.model_fields.items():
        one, other, section = before[name], after[name], section_of(field.annotation)
        if one != other:
            is_open = isinstance(one, dict) and isinstance(other, dict)
            found[name] = _differences(one, other, section) if section and is_open else other
    return found
