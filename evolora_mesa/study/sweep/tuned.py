"""What came out of a tuning, for people: the best settings, how lucky they looked, what they are worth, their cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evolora_mesa.configfile import load_config
from evolora_mesa.record.report.document import Document, Section, Table, Tile
from evolora_mesa.study.statistics import Interval
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.job import OURS
from evolora_mesa.study.sweep.plots import figure_text, told_interval
from evolora_mesa.study.sweep.results import written
from evolora_mesa.study.sweep.summary import CellRow, main_metric, told_cell
from evolora_mesa.study.sweep.tuning import FACTOR, TUNED, Cost, cost_of

__all__ = ["Tuned"]

_NOTHING = Interval(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuning that is over.

    Attributes:
        search: all cells that were proposed.
        best: the chosen one, by the search's objective.
        comparison: that cell and the untuned one on fresh seeds.
    """

    search: Findings
    best: CellRow
    comparison: Findings

    @cached_property
    def judged(self) -> str:
        """The metric by which the tuned settings are judged."""
        return main_metric(self.comparison.spec)

    def of(self, metric: str) -> tuple[CellRow, CellRow]:
        """The untuned and the tuned cell of the comparison."""
        rows = {row.levels[FACTOR] == TUNED: row for row in self.comparison.of(metric)}
        return rows[False], rows[True]

    @property
    def verdict(self) -> str:
        """What the interval of the paired difference says."""
        gap = self.of(self.judged)[1].difference or _NOTHING
        is_higher_better = self.comparison.spec.metrics[self.judged].better == "higher"
        if not (gap.above_zero or gap.below_zero):
            return "no difference is shown"
        return "the tuned settings are better" if gap.above_zero == is_higher_better else "the tuned ones are worse"

    def told(self) -> tuple[str, ...]:
        """The outcome in a few lines."""
        untuned, tuned = self.of(self.judged)
        _, again = self.of(self.best.metric)
        gap, most = tuned.difference or _NOTHING, len(self.search.cells)
        sign = 1.0 if self.search.spec.metrics[self.best.metric].better == "higher" else -1.0
        loss = sign * (self.best.interval.mean - again.interval.mean)
        promise = f"{figure_text(loss)} short of" if loss > 0 else "no worse than"
        return (
            f"Best settings: {told_cell(self.search.spec, self.best.levels)}.",
            f"Search: {self.best.metric} {told_interval(self.best.interval)} over {_seeds(self.best.interval.n)}, "
            f"chosen by these very runs as the best of {most} cells, so it is too good.",
            f"Winner's curse: on {_seeds(again.interval.n)} that the search never saw, the same settings come to "
            f"{told_interval(again.interval)}, {promise} what the search promised.",
            f"Fresh seeds: {self.judged} {told_interval(tuned.interval)} tuned, {told_interval(untuned.interval)} "
            f"untuned; difference {told_interval(gap)} over {gap.n} pairs: {self.verdict}.",
            f"Cost: {_told_cost(cost_of(self.search.rows))} for the search; "
            f"{_told_cost(cost_of(self.comparison.rows))} for the comparison.",
        )

    def document(self) -> Document:
        """For `record.report.page.to_html`."""
        _, tuned = self.of(self.judged)
        gap, cost = tuned.difference or _NOTHING, cost_of(self.search.rows)
        spec = self.search.spec
        return Document(
            title=f"Tuning {spec.name}",
            subtitle=f"{spec.design.sampler} on {self.best.metric}, {spec.model}",
            told=self.told(),
            tiles=(
                Tile(self.judged, figure_text(tuned.interval.mean), f"tuned, over {_seeds(tuned.interval.n)}"),
                Tile("gained", figure_text(gap.mean), f"against the untuned settings, {gap.n} pairs"),
                Tile("searched", str(len(self.search.cells)), f"cells, {cost.runs} runs"),
                Tile("processor time", figure_text(cost.seconds / 60), "minutes of the search"),
            ),
            sections=(self._settings(), self._judgement()),
            footer=("search/report.html and report/report.html hold all runs; best.yaml holds the settings.",),
        )

    def _settings(self) -> Section:
        rows = tuple((name, self._before(name), written(level)) for name, level in self.best.levels.items())
        table = Table(("setting", "untuned", "tuned"), rows, frozenset({1, 2}))
        return Section("settings", "The settings", "What was varied, and what was found.", (table,))

    def _judgement(self) -> Section:
        about = (
            "Means over fresh seeds with 95 % t intervals; the difference is taken seed by seed. The first line was "
            "the question: p is of a paired t test of that metric alone. The last column is what the search saw."
        )
        rows = []
        for metric in self.comparison.spec.metrics:
            untuned, tuned = self.of(metric)
            seen = next((row.interval for row in self.search.of(metric) if row.cell == self.best.cell), None)
            gap = tuned.difference or _NOTHING
            values = (untuned.interval, tuned.interval, gap)
            before = "not looked at" if seen is None else told_interval(seen)
            rows.append((metric, *map(told_interval, values), str(gap.n), _chance(tuned.p), before))
        columns = ("metric", "untuned", "tuned", "difference", "pairs", "p", "tuned, in the search")
        return Section("judgement", "On fresh seeds", about, (Table(columns, tuple(rows), frozenset(range(1, 7))),))

    def _before(self, factor: str) -> str:
        """The untuned level."""
        spec = self.search.spec
        if factor in (spec.baseline or {}):
            return written((spec.baseline or {})[factor])
        if isinstance(spec.factors[factor], dict):
            return "none of them"
        if factor in spec.set:
            return written(spec.set[factor])
        if spec.model != OURS:
            return "by default"
        value: Any = load_config(spec.base or "ecology").model_dump(mode="json")
        for name in factor.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return written(value)


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"


def _chance(p: float) -> str:
    if math.isnan(p):
        return "n/a"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _told_cost(cost: Cost) -> str:
    failed = f" ({cost.failed} failed)" if cost.failed else ""
    episodes = "" if cost.episodes is None else f", {figure_text(cost.episodes)} episodes"
    return f"{cost.runs} runs{failed}{episodes}, {figure_text(cost.seconds)} s of processor time"
