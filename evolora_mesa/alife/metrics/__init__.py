"""Metrics of evolution and ecology, each a pure function of a closed event log; `measure` puts shadows beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.alife.history import History
from evolora_mesa.alife.metrics import division, energy, lifetimes, novelty, phylogeny
from evolora_mesa.alife.metrics.diversity import hill_series, turnover_series
from evolora_mesa.alife.metrics.effective import effective_population
from evolora_mesa.alife.metrics.modes import complexity, modes
from evolora_mesa.alife.metrics.oscillation import Oscillation, oscillation, population_by_tick
from evolora_mesa.alife.metrics.price import price_series, traits_of
from evolora_mesa.alife.metrics.quality_diversity import quality_diversity
from evolora_mesa.alife.metrics.ruler import Finding, Measured, Subject, late, measure

__all__ = ["METRICS", "Finding", "Measured", "Metric", "measure"]


class Metric(NamedTuple):
    """How one figure of a run is found.

    Attributes:
        measure: from a subject to the figure; None or nan when the run has too little for it.
        needs: capabilities without which it is n/a.
        unit: of the figure.
        shadow: neutral shadows have it too.
        meaning: one line for people.
        last: it needs the shadows' activity, so it comes after them.
    """

    measure: Callable[[Subject], float | None]
    needs: frozenset[str]
    unit: str
    shadow: bool
    meaning: str
    last: bool = False


def _activity(subject: Subject, which: int) -> float | None:
    return None if subject.new is None else late(subject.new[which])


def _counted(subject: Subject, figure: Callable[[Subject], float | None]) -> float | None:
    """A number of components; n/a, and not 0, where nobody ever had one of this kind."""
    return figure(subject) if len(subject.census.codes) else None


def _novel(subject: Subject) -> float | None:
    series = novelty.accumulated_novelty(subject.history, subject.clock, census=subject.census)
    return float(series[-1]) if len(series) else None


def _of_tree(subject: Subject, figure: Callable[[phylogeny.Tree], float]) -> float | None:
    """A figure of the tree of the living; n/a when nobody is left to have one."""
    return float(figure(subject.tree)) if subject.tree.living.any() else None


def _swings(subject: Subject) -> Oscillation:
    """Of the population by tick, without the first fifth, in which a run forgets its founding."""
    numbers = population_by_tick(subject.history)
    return oscillation(numbers[len(numbers) // 5 :])


def _of_modes(subject: Subject, name: str) -> float | None:
    return None if subject.modes is None else late(getattr(subject.modes, name))


def _complexity(subject: Subject) -> float | None:
    found = modes(History.of(subject.log, "geno"), filter=subject.filter, resolution=subject.resolution)
    series = None if found is None else complexity(subject.log, found)
    return None if series is None else late(series)


def _effective(subject: Subject) -> float | None:
    """Harmonic mean, as drift adds up: its strength is 1 / N_e."""
    values = effective_population(subject.history)
    values = values[values > 0]
    return float(len(values) / np.sum(1 / values)) if len(values) and np.isfinite(values).any() else None


def _residual(subject: Subject) -> float | None:
    terms = [term for trait in traits_of(subject.log) for term in price_series(subject.log, trait) if term is not None]
    return max((abs(term.residual) for term in terms), default=None)


def _of(found: tuple[float, ...] | None, name: str) -> float | None:
    return None if found is None else float(getattr(found, name))


def _metric(
    measure: Callable[[Subject], float | None], needs: str, unit: str, meaning: str, *, shadow: bool, last: bool = False
) -> Metric:
    return Metric(measure, frozenset(needs.split()), unit, shadow, meaning, last)


def _hill(q: int) -> Callable[[Subject], float | None]:
    return lambda subject: late(hill_series(subject.history, subject.clock, q, census=subject.census))


# Series over time are told by the mean of their last two thirds; trees by the one at the end.
METRICS: Final[dict[str, Metric]] = {
    "activity_diversity": _metric(
        lambda s: _counted(s, lambda s: late(s.waves.diversity)),
        "birth death",
        "components",
        "components that are there",
        shadow=True,
    ),
    "activity_mean": _metric(
        lambda s: late(s.waves.mean), "birth death", "generations", "mean cumulative activity", shadow=True
    ),
    "activity_median": _metric(
        lambda s: late(s.waves.median), "birth death", "generations", "median cumulative activity", shadow=True
    ),
    "activity_new": _metric(
        lambda s: _activity(s, 0),
        "birth death heredity",
        "generations",
        "activity of components that have just outlived drift",
        shadow=True,
        last=True,
    ),
    "activity_adaptive": _metric(
        lambda s: _activity(s, 1),
        "birth death heredity",
        "components",
        "components that have outlived 95 % of the shadows'",
        shadow=True,
        last=True,
    ),
    "change": _metric(
        lambda s: _of_modes(s, "change"), "heredity", "components", "MODES: persistent ones not so before", shadow=True
    ),
    "novelty": _metric(
        lambda s: _of_modes(s, "novelty"),
        "heredity",
        "components",
        "MODES: persistent ones never so before",
        shadow=True,
    ),
    "ecology": _metric(
        lambda s: _of_modes(s, "ecology"), "heredity", "bits", "MODES: entropy of the persistent", shadow=True
    ),
    "complexity": _metric(
        _complexity,
        "heredity complexity",
        "sites",
        "MODES: most informative sites of a persistent genotype",
        shadow=False,
    ),
    "hill_0": _metric(_hill(0), "", "kinds", "richness", shadow=True),
    "hill_1": _metric(_hill(1), "", "kinds", "exp of Shannon's entropy", shadow=True),
    "hill_2": _metric(_hill(2), "", "kinds", "one over Simpson's index", shadow=True),
    "turnover": _metric(
        lambda s: late(turnover_series(s.history, s.clock, census=s.census)),
        "birth death",
        "share",
        "Bray-Curtis distance between two looks",
        shadow=True,
    ),
    "accumulated_novelty": _metric(
        lambda s: _counted(s, _novel),
        "birth death heredity",
        "components",
        "ANNECS: new ones that stayed for a generation",
        shadow=True,
    ),
    "tasks_solved": _metric(
        lambda s: novelty.tasks_solved(s.log), "tasks", "tasks", "tasks that somebody has done", shadow=False
    ),
    "effective_population": _metric(
        _effective, "birth death heredity", "agents", "N_e per turnover, harmonic mean", shadow=True
    ),
    "phylogenetic_diversity": _metric(
        lambda s: _of_tree(s, lambda tree: tree.diversity),
        "heredity",
        "edges",
        "births in the tree of the living",
        shadow=True,
    ),
    "mean_pairwise_distance": _metric(
        lambda s: s.tree.distances().mean, "heredity", "edges", "between living agents, in births", shadow=True
    ),
    "variance_pairwise_distance": _metric(
        lambda s: s.tree.distances().variance, "heredity", "edges²", "between living agents, in births", shadow=True
    ),
    "mrca_depth": _metric(
        lambda s: s.tree.mrca_depth(), "heredity", "edges", "from the root to the last common ancestor", shadow=True
    ),
    "sackin": _metric(
        lambda s: _of_tree(s, phylogeny.Tree.sackin), "heredity", "edges", "imbalance of the tree", shadow=True
    ),
    "colless_like": _metric(
        lambda s: _of_tree(s, phylogeny.Tree.colless_like), "heredity", "", "imbalance of the tree", shadow=True
    ),
    "lineage_length": _metric(
        lambda s: phylogeny.lineages(s.log).length, "heredity", "changes", "of genotype, founder to agent", shadow=False
    ),
    "mutation_accumulation": _metric(
        lambda s: phylogeny.lineages(s.log).mutations,
        "heredity",
        "births",
        "mutant or merged, founder to agent",
        shadow=False,
    ),
    "phenotypic_volatility": _metric(
        lambda s: phylogeny.lineages(s.log).volatility,
        "heredity",
        "share",
        "changes of phenotype per change of genotype",
        shadow=False,
    ),
    "merge_rate": _metric(
        lambda s: phylogeny.merge_rate(s.log), "multi_parent", "share", "births of several parents", shadow=False
    ),
    "founders_per_agent": _metric(
        lambda s: phylogeny.founders_per_agent(s.log),
        "multi_parent",
        "founders",
        "that a living agent descends from",
        shadow=False,
    ),
    "price_residual": _metric(
        _residual, "heredity", "trait", "largest difference between the Price equation's sides", shadow=False
    ),
    "energy_gini": _metric(
        lambda s: _of(energy.energy_spread(s.log), "gini"),
        "energy",
        "",
        "inequality of energy at the end",
        shadow=False,
    ),
    "energy_negative": _metric(
        lambda s: _of(energy.energy_spread(s.log), "negative"),
        "energy",
        "share",
        "of agents in debt at the end",
        shadow=False,
    ),
    "energy_return": _metric(
        lambda s: energy.energy_return(s.log), "energy tasks", "", "rewards / costs of all tasks", shadow=False
    ),
    "closure_error": _metric(
        lambda s: energy.closure_error(s.log), "energy", "share", "of energy that no account explains", shadow=False
    ),
    "qd_coverage": _metric(
        lambda s: _of(quality_diversity(s.log), "coverage"),
        "descriptor",
        "share",
        "of niches ever filled",
        shadow=False,
    ),
    "qd_score": _metric(
        lambda s: _of(quality_diversity(s.log), "norm_qd_score"), "descriptor", "fitness", "per niche", shadow=False
    ),
    "living_coverage": _metric(
        lambda s: _of(quality_diversity(s.log), "living_coverage"),
        "descriptor",
        "share",
        "of niches in which somebody lives at the end",
        shadow=False,
    ),
    "specialisation": _metric(
        lambda s: _of(division.division_of_labour(s.log), "specialisation"),
        "tasks",
        "share",
        "1 - H(task | agent) / H(task)",
        shadow=False,
    ),
    "nestedness": _metric(
        lambda s: _of(division.division_of_labour(s.log), "nestedness"),
        "tasks",
        "%",
        "NODF, agents by tasks",
        shadow=False,
    ),
    "period": _metric(
        lambda s: _swings(s).period,
        "death",
        "steps",
        "of swings of the population",
        shadow=False,
    ),
    "variation": _metric(
        lambda s: _swings(s).variation,
        "death",
        "",
        "standard deviation / mean of the population",
        shadow=False,
    ),
    "lifetime": _metric(
        lambda s: _of(lifetimes.lifetimes(s.log), "mean"),
        "death",
        "steps",
        "mean life of the dead",
        shadow=False,
    ),
}
