"""The comparison as a document: rules first, Evolora's size before full size, pictures, and what was validated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from evolora_mesa import __version__
from evolora_mesa.alife.compare.cells import class_of
from evolora_mesa.alife.compare.crew import Comparison
from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.compare.plots import hill_picture, phylogeny_picture, wave_picture
from evolora_mesa.alife.compare.table import MAIN, cost_table, intervention_table, metric_table, shown
from evolora_mesa.alife.metrics import METRICS
from evolora_mesa.record.report.document import Block, Document, Figures, Folded, Note, Picture, Section, Table, Tile

__all__ = ["ABOUT_CELL", "RULES", "report_of"]

RULES: Final = (
    "No ranking: raw values are of different components, populations and times. What may be compared is each column's "
    "effect against its own shadows, its class of dynamics, and what an intervention does.",
    "Shadows: the births and deaths of a run are replayed with parents and victims drawn by lot. Sorts "
    "that a log keeps apart (hosts and symbionts, sheep and wolves) are replayed apart.",
    "Verdict: above or below drift only if Cliff's delta leaves 0 out over the seeds, the median lies outside of 95 % "
    "of all shadows, and differs from their mean by more than a quarter. A delta of 1 alone can be a trifle.",
    "Imposed or evolved: the nine tasks of DigitalOrganisms and Evolora's grid are given by us. Covering them is "
    "adaptation, not open-endedness, and a grid of n cells bounds phenotypes by 2 to the power of n.",
    "Frozen host: a language model knows tasks before anything evolves. Its column is the zero of all task metrics.",
    "Complexity: of NKWorld it counts the sites that matter to fitness now; it has no replayed shadow, its null is "
    "the column with random selection.",
    "MODES with its filter at the population's size needs runs of more generations than that. Where there are fewer "
    "the table says n/a, and a class that cannot be told from too few seeds or too short a run is undecided.",
    "Failed and extinct runs count; no run was chosen.",
)
ABOUT_CELL: Final = (
    "median [95 % bootstrap interval over seeds]; median of the shadows; n seeds; Cliff's delta, verdict"
)


def report_of(found: Comparison) -> Document:
    """The whole comparison."""
    hidden = [column.name for column in found.columns if not found.valid(column)]
    told = [
        f"Size: the classics ran at Evolora's size first, {found.population} agents and {found.births} births, then at "
        "their own."
        + ("" if found.from_evolora else " No run of Evolora was compared, so this size is its usual one."),
        "Classes: "
        + "; ".join(f"{column.name} {class_of(found.runs(column, 'full'))}" for column in shown(found))
        + ".",
    ]
    if hidden:
        told.append(f"Left out: {', '.join(hidden)}, for their models miss targets in this version.")
    runs = len(found.outcomes)
    failed = sum(bool(one.error) for one in found.outcomes)
    return Document(
        title="Evolora beside classic artificial life",
        subtitle=f"{len(shown(found))} columns, {found.seeds} seeds, {found.shadows} neutral shadows of each run",
        told=tuple(told),
        tiles=(
            Tile("runs", str(runs), f"{failed} failed"),
            Tile("seeds", str(found.seeds), f"0 to {found.seeds - 1}"),
            Tile("models validated", str(sum(tree["passed"] for tree in found.validations.values())), _of(found)),
        ),
        sections=tuple(_sections(found)),
        footer=(f"Made by evolora compare, evolora-mesa {__version__}.", "Components are phenotypes in every column."),
    )


def _of(found: Comparison) -> str:
    return f"of {len(found.validations)}, quick targets"


def _sections(found: Comparison) -> Iterable[Section]:
    yield Section("rules", "How to read this", "What may be concluded, and what may not.", tuple(map(Note, RULES)))
    others = tuple(name for name in METRICS if name not in MAIN)
    for size, title in (("matched", "At Evolora's size"), ("full", "At full size")):
        table = metric_table(found, size, MAIN, ABOUT_CELL)
        if len(table.columns) > 1:
            about = f"{found.population} agents and {found.births} births." if size == "matched" else "Sizes are below."
            more = Folded("All other metrics", (metric_table(found, size, others, ABOUT_CELL),))
            yield Section(size, title, about, (table, more))
    interventions = intervention_table(found)
    if interventions is not None:
        about = "The same model with one thing changed: the comparison that means the same everywhere."
        yield Section("interventions", "Interventions", about, (interventions,))
    yield Section("cost", "What it took", "Size, length and price of the runs.", (cost_table(found),))
    yield from _pictures(found)
    yield Section("validation", "Validation", "Targets of the models, measured in this version.", tuple(_checks(found)))


def _pictures(found: Comparison) -> Iterable[Section]:
    sorts: tuple[tuple[str, str, Callable[[Outcome], Picture | None]], ...] = (
        ("waves", "Activity waves", wave_picture),
        ("hill", "Hill curves", hill_picture),
        ("trees", "Phylogenies", phylogeny_picture),
    )
    first = [run for column in shown(found) for run in found.runs(column, "full")[:1] if not run.error and run.sketch]
    for name, title, draw in sorts:
        pictures = tuple(picture for picture in map(draw, first) if picture is not None)
        if pictures:
            yield Section(name, title, "Of the first seed of each column, at full size.", (Figures(pictures),))


def _checks(found: Comparison) -> Iterable[Block]:
    rows = []
    for model, tree in found.validations.items():
        missed = [target["name"] for target in tree["targets"] if not target["passed"]]
        rows.append((model, "valid" if tree["passed"] else "left out", str(len(tree["targets"])), ", ".join(missed)))
    if rows:
        yield Table(("model", "verdict", "targets", "missed"), tuple(rows), frozenset({2}))
    else:
        yield Note("No classic model was compared.")
