"""Several runs of classic models beside one another; those that differ in their seed alone share a column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from evolora_mesa.alife.compare.cells import cell_of, class_of
from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.compare.report import ABOUT_CELL, RULES
from evolora_mesa.alife.compare.table import MAIN, cell_text
from evolora_mesa.alife.metrics import METRICS
from evolora_mesa.alife.report.outcome import conservation, outcome
from evolora_mesa.alife.report.pictures import STEP, figure_picture
from evolora_mesa.alife.report.reading import ClassicFacts
from evolora_mesa.alife.report.sections import footer
from evolora_mesa.record.report.charts import Line, lines, style_of
from evolora_mesa.record.report.compare import names_of
from evolora_mesa.record.report.document import Block, Document, Figures, Folded, Note, Section, Table, number

__all__ = ["columns_of", "comparison_of"]


def comparison_of(runs: Sequence[ClassicFacts]) -> Document:
    """The report of several runs."""
    names = names_of([run.path for run in runs])
    return Document(
        title=f"{len(runs)} runs of classic models",
        subtitle=" · ".join(names),
        told=tuple(
            f"{name}: {run.config.model}, seed {run.config.seed}; {run.ending}. "
            + outcome(run)[1].removeprefix("Lives: ")
            for name, run in zip(names, runs, strict=True)
        ),
        sections=(
            _charts(runs, names),
            _figures(runs, names),
            _metrics(runs, names),
            _settings(runs, names),
        ),
        footer=tuple(line for run in runs for line in footer(run)),
    )


def _charts(runs: Sequence[ClassicFacts], names: Sequence[str]) -> Section:
    population = lines(
        "Population",
        [
            Line(name, run.alive.astype(float), style_of(place))
            for place, (name, run) in enumerate(zip(names, runs, strict=True))
            if run.is_kept
        ],
        unit="agents alive",
        from_zero=True,
        moment=STEP,
    )
    series = dict.fromkeys(name for run in runs for name in run.series)
    pictures = [population, *(figure_picture(name, runs, names) for name in series)]
    drawn = tuple(picture for picture in pictures if picture is not None)
    return Section("charts", "Over time", "A line per run, drawn alike in every chart.", (Figures(drawn),))


def _figures(runs: Sequence[ClassicFacts], names: Sequence[str]) -> Section:
    rows = [
        ("model", *(run.config.model for run in runs)),
        ("seed", *(str(run.config.seed) for run in runs)),
        ("how far", *(run.ending for run in runs)),
    ]
    counts = {
        "founders": lambda run: run.founders,
        "births": lambda run: run.born.sum(),
        "deaths": lambda run: run.died.sum(),
        "alive at last": lambda run: run.alive[-1],
        "events in the log": lambda run: len(run.log),
    }
    rows += [
        (label, *(number(count(run)) if run.is_kept else "n/a" for run in runs)) for label, count in counts.items()
    ]
    rows.append(("conservation", *(conservation(run) for run in runs)))
    table = Table(("", *names), tuple(rows))
    return Section("figures", "Figures", "Of each run by itself.", (table,))


# ---------------------------------------------------------------- on the ruler


def columns_of(runs: Sequence[ClassicFacts]) -> dict[str, list[Outcome]]:
    """What the ruler says, by column: of runs of the same model, settings and length, a value a seed."""
    alike: dict[str, list[ClassicFacts]] = {}
    for run in _distinct(runs):
        alike.setdefault(json.dumps([run.config.model, _told(run)], sort_keys=True), []).append(run)
    groups = list(alike.values())
    columns = {}
    for group in groups:
        rivals = [other[0] for other in groups if other[0].config.model == group[0].config.model]
        name = _column_name(group[0], rivals)
        columns[name] = [replace(run.measured, column=name) for run in group]
    return columns


def _distinct(runs: Sequence[ClassicFacts]) -> list[ClassicFacts]:
    """One of all that have their seed in common too: what is lived again says nothing new."""
    found: dict[str, ClassicFacts] = {}
    for run in runs:
        key = json.dumps([run.config.model, run.config.seed, _told(run)], sort_keys=True)
        if key not in found or found[key].measured.error:
            found[key] = run
    return list(found.values())


def _told(run: ClassicFacts) -> dict[str, str]:
    return {"steps": str(run.step)} | {name: str(value) for name, value in run.arguments.items()}


def _column_name(run: ClassicFacts, rivals: Sequence[ClassicFacts]) -> str:
    """The model, with what tells its column from others of it."""
    own = _told(run)
    different = [name for name in own if len({_told(rival).get(name) for rival in rivals}) > 1]
    return " ".join([run.config.model, *(f"{name}={own[name]}" for name in different)])


def _metrics(runs: Sequence[ClassicFacts], names: Sequence[str]) -> Section:
    columns = columns_of(runs)
    counted = _distinct(runs)
    again = ", ".join(name for name, run in zip(names, runs, strict=True) if run not in counted)
    left_out = (Note(f"Not counted, for a run of the same settings and seed already is: {again}."),) if again else ()
    others = tuple(name for name in METRICS if name not in MAIN)
    seeds = ", ".join(f"{name} {len(found)}" for name, found in columns.items())
    blocks: tuple[Block, ...] = (
        *map(Note, RULES[:3]),
        *left_out,
        _metric_table(columns, MAIN),
        Folded("All other metrics", (_metric_table(columns, others),)),
    )
    about = f"Runs that differ in their seed alone are one column; runs in each: {seeds}."
    return Section("metrics", "Metrics", about, blocks)


def _metric_table(columns: dict[str, list[Outcome]], names: Sequence[str]) -> Table:
    rows: list[tuple[str, ...]] = []
    if names == MAIN:
        rows.append(("class of dynamics", *map(class_of, columns.values())))
    for name in names:
        unit = METRICS[name].unit
        label = f"{name} ({unit})" if unit else name
        rows.append((label, *(cell_text(cell_of(found, name)) for found in columns.values())))
    return Table(("metric", *columns), tuple(rows), caption=ABOUT_CELL)


def _settings(runs: Sequence[ClassicFacts], names: Sequence[str]) -> Section:
    rows = []
    for model in dict.fromkeys(run.config.model for run in runs):
        alike = [run for run in runs if run.config.model == model]
        for name in alike[0].arguments:
            if len({str(run.arguments[name]) for run in alike}) > 1:
                cells = (str(run.arguments[name]) if run.config.model == model else "" for run in runs)
                rows.append((model, name, *cells))
    about = "Between runs of the same model; all others are the same."
    same = Note("Runs of the same model have the same settings.", empty=True)
    block = Table(("model", "setting", *names), tuple(rows)) if rows else same
    return Section("settings", "Settings that differ", about, (block,))
