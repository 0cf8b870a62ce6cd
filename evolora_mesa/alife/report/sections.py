"""The report of one run of a classic model. What the model cannot have is n/a, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from evolora_mesa import __version__
from evolora_mesa.alife.compare.plots import hill_picture, phylogeny_picture, wave_picture
from evolora_mesa.alife.compare.table import MAIN
from evolora_mesa.alife.metrics import METRICS, Finding
from evolora_mesa.alife.report.ground import ground_pictures
from evolora_mesa.alife.report.outcome import outcome, tiles, verdict_of
from evolora_mesa.alife.report.pictures import life_pictures, series_pictures
from evolora_mesa.alife.report.reading import SHADOWS, ClassicFacts
from evolora_mesa.record.report.document import Block, Document, Figures, Folded, Note, Picture, Section, Table
from evolora_mesa.study.sweep.plots import figure_text

__all__ = ["footer", "report_of"]

_NO_LOG: Final = "The run kept no event log, so nobody can say who lived: its settings have record: false."


def report_of(facts: ClassicFacts) -> Document:
    """The report of a run."""
    return Document(
        title=f"{facts.config.model}, seed {facts.config.seed}",
        subtitle=f"{facts.ending[0].upper()}{facts.ending[1:]} · a classic model of artificial life",
        told=outcome(facts),
        tiles=tiles(facts),
        sections=(
            _series(facts),
            *_ground(facts),
            _lives(facts),
            _metrics(facts),
            *_evolution(facts),
            _conserved(facts),
            _run(facts),
        ),
        footer=footer(facts),
    )


def footer(facts: ClassicFacts) -> tuple[str, ...]:
    """Where it is from."""
    return (f"Made by evolora report, evolora-mesa {__version__}, of {facts.path}.", *facts.notes)


def _shown(pictures: Iterable[Picture], missing: str) -> tuple[Block, ...]:
    found = tuple(pictures)
    return (Figures(found),) if found else (Note(missing, empty=True),)


def _series(facts: ClassicFacts) -> Section:
    about = "What the model's collector saw after every step; step 0 is the founding."
    pictures = series_pictures(facts.series)
    return Section("series", "Over time", about, _shown(pictures, "The collector saw nothing."))


def _ground(facts: ClassicFacts) -> Iterable[Section]:
    pictures = ground_pictures(facts.picture, facts.step)
    if pictures:
        about = "What lies where at the newest checkpoint; earlier pictures are not kept."
        yield Section("ground", "Ground", about, (Figures(tuple(pictures)),))


def _lives(facts: ClassicFacts) -> Section:
    about = "Counted from the event log: everybody who came and went."
    if not facts.is_kept:
        return Section("lives", "Births and deaths", about, (Note(_NO_LOG, empty=True),))
    nobody = f"Nobody was born and nobody died: {figure_text(facts.founders)} founders from the first step to the last."
    return Section("lives", "Births and deaths", about, _shown(life_pictures(facts), nobody))


# ---------------------------------------------------------------- metrics


def _metrics(facts: ClassicFacts) -> Section:
    about = (
        f"Each figure beside the same of {SHADOWS} neutral shadows of this run, in which the lot decides who dies and "
        "who breeds. One run tells what lies outside of its own shadows; whether a model does so takes several seeds: "
        f"evolora compare {facts.config.model}."
    )
    if facts.measured.error:
        return Section("metrics", "Metrics", about, (Note(f"n/a: {facts.measured.error}", empty=True),))
    others = tuple(name for name in METRICS if name not in MAIN)
    blocks = (_metric_table(facts, MAIN), Folded("All other metrics", (_metric_table(facts, others),)))
    return Section("metrics", "Metrics", about, blocks)


def _metric_table(facts: ClassicFacts, names: Iterable[str]) -> Table:
    rows = tuple((name, *_metric_cells(facts.finding(name)), METRICS[name].meaning) for name in names)
    caption = (
        "Above or below: outside of what 95 % of the shadows lie within, and by more than a quarter of their mean. "
        "n/a is never 0."
    )
    heads = ("metric", "value", "unit", "shadows: mean [95 % of them]", "beside drift", "what it is")
    return Table(heads, rows, frozenset({1}), caption)


def _metric_cells(found: Finding) -> tuple[str, str, str, str]:
    if found.value is None:
        return "n/a", found.unit, "", found.why
    low, high = map(figure_text, found.band)
    shadows = f"{figure_text(found.shadow)} [{low}, {high}]" if found.shadows else "none"
    return figure_text(found.value), found.unit, shadows, verdict_of(found)


def _evolution(facts: ClassicFacts) -> Iterable[Section]:
    drawn = (wave_picture, hill_picture, phylogeny_picture)
    pictures = [picture for draw in drawn if (picture := draw(facts.measured))] if facts.measured.sketch else []
    if pictures:
        about = "Kinds are phenotypes. An activity wave rises for as long as its kind lives."
        yield Section("kinds", "Kinds and descent", about, (Figures(tuple(pictures)),))


# ---------------------------------------------------------------- conservation and settings


def _conserved(facts: ClassicFacts) -> Section:
    about = (
        "A log that loses agents or energy would make drift look like evolution, so it is checked before it is read."
    )
    checks = facts.checks
    if not checks:
        return Section("conservation", "Conservation", about, (Note(_NO_LOG, empty=True),))
    rows = tuple((name, "holds" if fault is None else f"broken: {fault}") for name, fault in checks.items())
    return Section("conservation", "Conservation", about, (Table(("invariant", "verdict"), rows), _accounts(facts)))


def _accounts(facts: ClassicFacts) -> Block:
    found = facts.accounts()
    if found is None:
        return Note("No energy was booked in this run.", empty=True)
    total = sum(found.moved.values())
    rows = [(name, figure_text(amount)) for name, amount in found.moved.items()]
    rows += [("all accounts", figure_text(total)), ("the living hold more", figure_text(found.gained))]
    caption = "Energy that came to the living or, below 0, left them, from the founding to the end."
    return Table(("account", "energy"), tuple(rows), frozenset({1}), caption)


def _run(facts: ClassicFacts) -> Section:
    config = facts.config
    about = "The same settings and seed give the same run again, to the last bit: evolora replay RUN."
    rows = [
        ("model", config.model, ""),
        ("seed", str(config.seed), ""),
        ("steps asked for", figure_text(config.generations), ""),
        *((name, str(value), "given" if name in config.set else "usual") for name, value in facts.arguments.items()),
        ("capabilities", ", ".join(sorted(facts.log.capabilities)) or "none", "by these settings"),
    ]
    return Section("run", "What ran", about, (Table(("setting", "value", "where from"), tuple(rows)),))
