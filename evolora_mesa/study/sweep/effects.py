"""What each factor of a two-level design does: main effects and interactions, seed by seed.

Box, Hunter and Hunter, "Statistics for Experimenters" (1978). The levels of a factor are coded -1 and +1 in the order
of the spec. The effect of a factor is the mean where it is at its second level less the mean where it is at its first;
that of two factors together is the mean where their codes agree less that where they differ, which is half of what the
one does to the other's effect. Every seed gives one value of every effect, so their spread is that between seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple, TypeAlias

from evolora_mesa.study.statistics import Interval, chance_of_no_mean, holm, t_interval
from evolora_mesa.study.sweep.results import Row, as_csv, written
from evolora_mesa.study.sweep.spec import DecisionSpec, Range, SweepSpec
from evolora_mesa.study.sweep.summary import CellRuns, by_cell, shown_number

__all__ = [
    "EFFECTS_FILE",
    "Effect",
    "Ruling",
    "Verdict",
    "effects_csv",
    "effects_of",
    "is_factorial",
    "level_names",
    "rule",
    "two_level_factors",
]

EFFECTS_FILE: Final = "effects.csv"
_COLUMNS: Final = ("metric", "within", "effect", "alias", "seeds", "n", "mean", "low", "high", "p", "p_holm")

Term: TypeAlias = frozenset[str]  # one factor, or several together
Verdict = Literal["pays", "harms", "makes no difference of that size", "undecided"]


class Effect(NamedTuple):
    """What a factor does to a metric, or two factors together.

    Attributes:
        within: the cells looked at, as "world static"; empty for all.
        factors: one or two, in the order of the spec.
        alias: factors whose joint effect a half design cannot tell from this one.
        seeds: that have been run.
        interval: over the seeds in which every cell of the design has the number; others are left out.
        p, p_holm: of no effect; adjusted for all effects on this metric within these cells.
    """

    metric: str
    within: str
    factors: tuple[str, ...]
    alias: tuple[str, ...]
    seeds: int
    interval: Interval
    p: float
    p_holm: float


class Ruling(NamedTuple):
    """What the spec's rule makes of an effect; ``effect`` is of one factor, adjusted for all rulings."""

    effect: Effect
    verdict: Verdict


def level_names(spec: SweepSpec, factor: str) -> tuple[str, ...]:
    """The levels of a factor as texts, in order; none of a range."""
    kind = spec.factors[factor]
    return () if isinstance(kind, Range) else tuple(map(written, kind))


def two_level_factors(spec: SweepSpec) -> tuple[str, ...]:
    """Those whose effect is a difference."""
    return tuple(factor for factor in spec.factors if len(level_names(spec, factor)) == 2)


def is_factorial(spec: SweepSpec) -> bool:
    """Whether effects can be computed: all combinations or half of them are run, and some factor has two levels."""
    return spec.design.method in ("grid", "half") and bool(two_level_factors(spec))


def effects_of(spec: SweepSpec, rows: Iterable[Row]) -> list[Effect]:
    """Main effects and two-factor interactions on every metric, of all cells; then within each level of the decision's.

    Factors with more levels are averaged over. Of effects that a half design cannot tell apart the first is listed.
    """
    if not is_factorial(spec):
        return []
    cells = by_cell(rows)
    return [
        effect
        for within, part in _slices(spec, cells)
        for metric in spec.metrics
        for effect in _effects(spec, metric, within, part, _terms(spec, _fixed(spec, within)))
    ]


def rule(spec: SweepSpec, rows: Iterable[Row]) -> list[Ruling]:
    """The verdicts on the decision's factors, within each level of the factor that it names; none without a decision.

    A factor pays if its interval lies on the better side of 0 and its mean reaches the smallest difference that
    matters; it harms likewise; it makes no difference of that size if its interval lies between the two.
    """
    decision = spec.decision
    if decision is None or not is_factorial(spec):
        return []
    slices = _slices(spec, by_cell(rows))
    wanted: list[Term] = [frozenset([factor]) for factor in decision.factors]
    found = [
        effect
        for within, part in (slices[1:] if decision.within else slices)
        for effect in _effects(spec, decision.metric, within, part, wanted)
    ]
    adjusted = holm([effect.p for effect in found])
    found = [effect._replace(p_holm=p) for effect, p in zip(found, adjusted, strict=True)]
    sign = 1.0 if spec.metrics[decision.metric].better == "higher" else -1.0
    return [Ruling(effect, _verdict(effect.interval, decision, sign)) for effect in found]


def effects_csv(effects: Iterable[Effect]) -> str:
    """What ``effects.csv`` holds: a row an effect; an empty field is a number that does not exist."""
    lines = []
    for effect in effects:
        names = (effect.metric, effect.within, " × ".join(effect.factors), " × ".join(effect.alias))
        bounds = (effect.interval.mean, effect.interval.low, effect.interval.high, effect.p, effect.p_holm)
        lines.append([*names, effect.seeds, effect.interval.n, *map(shown_number, bounds)])
    return as_csv(_COLUMNS, lines)


def _slices(spec: SweepSpec, cells: Sequence[CellRuns]) -> list[tuple[str, list[CellRuns]]]:
    """All cells, then those of each level of the decision's `within`, with what they are called."""
    slices = [("", list(cells))]
    factor = spec.decision.within if spec.decision is not None else None
    if factor is not None:
        for level in level_names(spec, factor):
            part = [cell for cell in cells if written(cell.levels[factor]) == level]
            slices.append((f"{factor} {level}", part))
    return slices


def _fixed(spec: SweepSpec, within: str) -> str | None:
    """The factor that has one level in a slice."""
    return spec.decision.within if within and spec.decision is not None else None


def _terms(spec: SweepSpec, fixed: str | None) -> list[Term]:
    """Main effects and pairs, without a second name for what an earlier one tells."""
    factors = [factor for factor in two_level_factors(spec) if factor != fixed]
    terms: list[Term] = [frozenset([factor]) for factor in factors]
    for pair in map(frozenset, combinations(factors, 2)):
        constant = spec.design.method == "half" and not _alias(spec, pair, fixed)
        if not constant and _alias(spec, pair, fixed) not in terms:
            terms.append(pair)
    return terms


def _alias(spec: SweepSpec, term: Term, fixed: str | None) -> Term:
    """The other name of an effect in a half design, whose defining relation is the product of all halved factors."""
    if spec.design.method != "half":
        return frozenset()
    return (term ^ (frozenset(spec.factors) - frozenset(spec.design.crossed))) - {fixed or ""}


def _effects(
    spec: SweepSpec, metric: str, within: str, cells: Sequence[CellRuns], terms: Sequence[Term]
) -> list[Effect]:
    """One metric within some cells, adjusted together."""
    codes = [_codes(spec, cell) for cell in cells]
    values = [cell.values(metric) for cell in cells]
    seeds = sorted({run.seed for cell in cells for run in cell.runs if run.result is not None})
    complete = len(cells) == _designed(spec, _fixed(spec, within))
    whole = [seed for seed in seeds if complete and all(seed in found for found in values)]
    contrasts = []
    for term in terms:
        signs = [math.prod(code[factor] for factor in term) for code in codes]
        told_apart = {-1, 1} <= set(signs)
        contrasts.append([_contrast(signs, [found[seed] for found in values]) for seed in whole if told_apart])
    chances = [chance_of_no_mean(found) for found in contrasts]
    return [
        Effect(
            metric,
            within,
            tuple(factor for factor in spec.factors if factor in term),
            tuple(factor for factor in spec.factors if factor in _alias(spec, term, _fixed(spec, within))),
            len(seeds),
            t_interval(found),
            p,
            p_holm,
        )
        for term, found, p, p_holm in zip(terms, contrasts, chances, holm(chances), strict=True)
    ]


def _designed(spec: SweepSpec, fixed: str | None) -> int:
    """Cells of the whole design; were one missing, its neighbours' effects would be taken for the factors'."""
    count = math.prod(len(level_names(spec, factor)) for factor in spec.factors if factor != fixed)
    return count // 2 if spec.design.method == "half" else count


def _codes(spec: SweepSpec, cell: CellRuns) -> Mapping[str, int]:
    """-1 or +1 by factor of two levels."""
    return {
        factor: -1 if written(cell.levels[factor]) == level_names(spec, factor)[0] else 1
        for factor in two_level_factors(spec)
    }


def _contrast(signs: Sequence[int], values: Sequence[float]) -> float:
    """Mean of the values with + less that of those with -; a balanced design has as many of each."""
    sides: dict[int, list[float]] = {-1: [], 1: []}
    for sign, value in zip(signs, values, strict=True):
        sides[sign].append(value)
    return math.fsum(sides[1]) / len(sides[1]) - math.fsum(sides[-1]) / len(sides[-1])


def _verdict(interval: Interval, decision: DecisionSpec, sign: float) -> Verdict:
    low, high = sorted((sign * interval.low, sign * interval.high))
    mean = sign * interval.mean
    if low > 0 and mean >= decision.smallest:
        return "pays"
    if high < 0 and mean <= -decision.smallest:
        return "harms"
    if -decision.smallest < low and high < decision.smallest:
        return "makes no difference of that size"
    return "undecided"
