"""Several runs beside one another: a table of figures, the settings that differ, and their lines in one chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.errors import RunError
from evolora_mesa.record.report.charts import COLOURS, DASHES, Line, lines, style_of
from evolora_mesa.record.report.document import Document, Figures, Note, Section, Table, energy, number, percent
from evolora_mesa.record.report.outcome import ends, finite, outcome, told_ending
from evolora_mesa.record.report.reading import RunFacts
from evolora_mesa.record.report.sections import footer

__all__ = ["MOST_RUNS", "check_count", "comparison_of", "names_of"]

MOST_RUNS: Final = COLOURS * DASHES  # ways to draw a line that can be told apart


class _Chart(NamedTuple):
    title: str
    figure: str
    unit: str
    as_percent: bool = False
    from_zero: bool = False
    reference: tuple[float, str] | None = None


_CHARTS: Final = (
    _Chart("Return on investment", "mean_roi", "energy earned / energy spent", reference=(1.0, "a living")),
    _Chart("Accuracy", "accuracy", "share of answers, running mean", as_percent=True),
    _Chart("Population", "population", "organelles alive", from_zero=True),
    _Chart("Energy of organelles", "energy_organelles", "energy", from_zero=True),
    _Chart("Inequality", "energy_gini", "Gini coefficient", from_zero=True),
    _Chart("Lineages", "lineages", "founders with living descendants", from_zero=True),
    _Chart("Learning progress", "learning_progress", "gap of success, mean over cells", as_percent=True),
    _Chart("Mean price", "mean_price", "energy per success", from_zero=True),
    _Chart("Quality and diversity", "qd_score", "sum of the elites' success", from_zero=True),
)

_FIGURES: Final[dict[str, Callable[[RunFacts], str]]] = {
    "generations": lambda run: f"{run.last} of {run.asked}",
    "alive at last": lambda run: number(run.figures["population"][-1]),
    "paid in full, first generations": lambda run: percent(ends(run, "success_rate")[0]),
    "paid in full, last generations": lambda run: percent(ends(run, "success_rate")[1]),
    "ROI, first generations": lambda run: number(ends(run, "mean_roi")[0]),
    "ROI, last generations": lambda run: number(ends(run, "mean_roi")[1]),
    "energy of organelles at last": lambda run: energy(run.figures["energy_organelles"][-1]),
    "Gini coefficient at last": lambda run: number(run.figures["energy_gini"][-1]),
    "children": lambda run: number(run.total("births")),
    "deaths": lambda run: number(run.total("deaths")),
    "merges accepted": lambda run: number(run.total("merges")),
    "mutants accepted": lambda run: number(run.total("promotions")),
    "mean uplift of the accepted": lambda run: _uplift(run),
    "elites that came back": lambda run: number(run.total("revivals")),
    "lineages at last": lambda run: number(run.figures["lineages"][-1]),
    "niches with an elite": lambda run: percent(run.figures["coverage"][-1]),
    "episodes": lambda run: number(run.total("episodes")),
    "tokens in episodes": lambda run: number(run.total("prompt_tokens") + run.total("generated_tokens")),
    "tokens at the gate": lambda run: number(run.total("gate_tokens")),
    "energy spent": lambda run: energy(run.figures["energy_soil"][-1]),
    "processor time, s": lambda run: number(run.total("step_seconds"), 1),
}


def check_count(runs: int) -> None:
    """Refuse more runs than a reader could tell apart.

    Raises:
        RunError: there are.
    """
    if runs > MOST_RUNS:
        raise RunError("too many runs for one report", expected=f"at most {MOST_RUNS}", got=runs, do="Compare fewer.")


def comparison_of(runs: Sequence[RunFacts]) -> Document:
    """The report of several runs."""
    names = names_of([run.path for run in runs])
    return Document(
        title=f"{len(runs)} runs compared",
        subtitle=" · ".join(names),
        told=tuple(
            f"{name}: {outcome(run)[1].removeprefix('Answers: ')}" for name, run in zip(names, runs, strict=True)
        ),
        sections=(
            _charts(runs, names),
            _figures(runs, names),
            _settings(runs, names),
            _each(runs, names),
        ),
        footer=tuple(line for run in runs for line in footer(run)[:2]),
    )


def names_of(folders: Sequence[Path]) -> list[str]:
    """Names of runs: their folders'; whole paths where these are the same."""
    short = [folder.resolve().name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]


def _charts(runs: Sequence[RunFacts], names: Sequence[str]) -> Section:
    pictures = [
        lines(
            chart.title,
            [
                Line(name, run.figures[chart.figure][1:], style_of(place), first=1)
                for place, (name, run) in enumerate(zip(names, runs, strict=True))
                if chart.figure in run.figures
            ],
            unit=chart.unit,
            as_percent=chart.as_percent,
            from_zero=chart.from_zero,
            reference=chart.reference,
        )
        for chart in _CHARTS
    ]
    drawn = tuple(picture for picture in pictures if picture is not None)
    blocks = (Figures(drawn),) if drawn else (Note("No run has lived a generation yet.", empty=True),)
    return Section("charts", "Over generations", "A line per run, drawn alike in every chart.", blocks)


def _figures(runs: Sequence[RunFacts], names: Sequence[str]) -> Section:
    rows = tuple((label, *(figure(run) for run in runs)) for label, figure in _FIGURES.items())
    about = (
        "First and last generations are means over five, or over the halves of a shorter run. Runs that differ in "
        "their seed alone tell how much is chance; one run each of two settings does not tell them apart."
    )
    table = Table(("", *names), rows, frozenset(range(1, len(runs) + 1)))
    return Section("figures", "Figures", about, (table,))


def _uplift(run: RunFacts) -> str:
    gains = finite(np.array([gate.uplift for gate in run.gates if gate.verdict != "rejected"]))
    return f"{100 * gains.mean():.1f} points" if gains.size else "n/a"


def _settings(runs: Sequence[RunFacts], names: Sequence[str]) -> Section:
    every = dict.fromkeys(name for run in runs for name in run.settings)
    rows = []
    for name in every:
        values = [_written(run.settings[name]) if name in run.settings else "not there" for run in runs]
        if len(set(values)) > 1:
            rows.append((name, *values))
    table = Table(("setting", *names), tuple(rows), frozenset())
    same = Note("All settings are the same.", empty=True)
    return Section("settings", "Settings that differ", "All others are the same.", (table if rows else same,))


def _written(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _each(runs: Sequence[RunFacts], names: Sequence[str]) -> Section:
    rows = tuple((name, told_ending(run), " ".join(outcome(run)[2:4])) for name, run in zip(names, runs, strict=True))
    about = "The whole report of a run: evolora report RUN."
    return Section("runs", "Run by run", about, (Table(("run", "ending", "economy and selection"), rows),))
