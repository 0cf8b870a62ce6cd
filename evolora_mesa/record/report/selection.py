"""The sections about selection: the gate, merges, lineage, and the archive."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from evolora_mesa.record.phylogeny import survivor_tree
from evolora_mesa.record.report.bars import Bar, Span, bars, spans
from evolora_mesa.record.report.charts import Line, lines
from evolora_mesa.record.report.document import Block, Figures, Key, Note, Preformatted, Section, points
from evolora_mesa.record.report.maps import VIRIDIS, Shades, by_depth
from evolora_mesa.record.report.outcome import counted
from evolora_mesa.record.report.pieces import figure_line, shown
from evolora_mesa.record.report.reading import Gate, RunFacts

__all__ = ["archive", "gate", "lineage", "merges"]

_MOST_SPANS: Final = 40  # children in a picture; all are in the store
_MOST_LINES: Final = 400  # of a tree
_TREE_WIDTH: Final = 160  # columns

_STYLES: Final = {"accepted": "s2", "confined": "s5", "rejected": "s3", "deferred": "s0", "refused": "s6"}
_WAITING: Final = ("deferred", "refused")


# ---------------------------------------------------------------- the gate


def gate(facts: RunFacts) -> Section:
    about = (
        "A child becomes a citizen when it answers fresh prompts better than its parents, on evidence that may be "
        "looked at at any time. Every decision has a reason."
    )
    if not facts.reasons:
        why = "No child was conceived, so nothing came to the gate."
        return Section("gate", "The gate", about, (Note(why, empty=True),))
    ended: list[Bar] = []
    waiting: list[Bar] = []
    for verdict in (*_STYLES, *sorted({verdict for verdict, _ in facts.reasons} - set(_STYLES))):
        of_it = sorted(((count, why) for (held, why), count in facts.reasons.items() if held == verdict), reverse=True)
        into = waiting if verdict in _WAITING else ended
        into += [Bar(why.replace("_", " "), count, _STYLES.get(verdict, "s4")) for count, why in of_it]
    pictures = (
        bars(
            "How trials ended",
            ended,
            unit="children",
            key=tuple(Key(verdict, f"area {style}") for verdict, style in _STYLES.items() if verdict not in _WAITING),
            caption="Confined children passed, and must stay in their parents' cells.",
        ),
        bars(
            "Why a birth or a verdict had to wait",
            waiting,
            unit="times",
            key=(Key("verdict deferred", "area s0"), Key("birth refused", "area s6")),
            caption="A child on trial counts once for every generation in which the evidence was not enough.",
        ),
        lines(
            "Evidence asked for",
            [
                figure_line(facts, "gate_answers", "gate answers", "s0"),
                figure_line(facts, "episodes", "episodes, to compare", "s6 thin"),
            ],
            unit="answers per generation",
            from_zero=True,
        ),
    )
    return Section("gate", "The gate", about, shown(pictures, "No child has come to the gate."))


def merges(facts: RunFacts) -> Section:
    about = (
        "A merge makes one adapter of two. The uplift is the child's share of right answers minus that of the better "
        "parent on the same prompts; the intervals hold at any time, so that stopping early does not flatter them."
    )
    pictures, notes = [], []
    for kind, title in (("merge", "Merges"), ("mutation", "Mutants")):
        tried = [gate for gate in facts.gates if gate.kind == kind]
        known = [gate for gate in tried if np.isfinite(gate.uplift)]
        recent = sorted(known[-_MOST_SPANS:], key=lambda gate: -gate.uplift)
        told = [f"{_verdicts(tried)}."]
        if len(known) > len(recent):
            told.append(f"Shown are the latest {len(recent)}.")
        if len(tried) > len(known):
            told.append(f"{len(tried) - len(known)} ended before a prompt was answered.")
        picture = spans(
            title,
            [_span(gate) for gate in recent],
            unit="uplift over the better parent, in percentage points",
            key=(Key("passed", "dot s2"), Key("rejected", "ring s3")),
            caption=f"{' '.join(told)} Sorted by uplift; child = parents.",
        )
        if picture is not None:
            pictures.append(picture)
        elif tried:
            notes.append(Note(f"{title}: {' '.join(told)}", empty=True))
        else:
            notes.append(Note(f"{title}: none has come to the end of its trial.", empty=True))
    blocks: list[Block] = [Figures(tuple(pictures), wide=True)] if pictures else []
    return Section("merges", "Merges", about, (*blocks, *notes))


def _verdicts(gates: Sequence[Gate]) -> str:
    count = Counter(gate.verdict for gate in gates)
    verdicts = ", ".join(f"{count[verdict]} {verdict}" for verdict in _STYLES if verdict not in _WAITING)
    return f"{len(gates)} tried to the end: {verdicts}"


def _span(gate: Gate) -> Span:
    passed, reason = gate.verdict != "rejected", gate.reason.replace("_", " ")
    told = (
        f"child {gate.child} of {gate.parents.replace(' ', ' and ')} ({gate.operator}), generation {gate.generation}: "
        f"{points(gate.uplift)} points [{points(gate.low)}, {points(gate.high)}] on {counted(gate.prompts, 'prompt')}, "
        f"{gate.verdict} ({reason})"
    )
    label = f"{gate.child} = {gate.parents.replace(' ', ' + ')}"
    return Span(label, gate.uplift, gate.low, gate.high, reason, "s2" if passed else "s3", passed, told)


# ---------------------------------------------------------------- lineage and archive


def lineage(facts: RunFacts) -> Section:
    about = "The ancestors of those who live, one tree per founder; long lines without branches are folded."
    pictures = (
        lines(
            "Births and deaths so far",
            [
                Line("children", np.cumsum(np.nan_to_num(facts.figures["births"])), "s2"),
                Line("deaths", np.cumsum(np.nan_to_num(facts.figures["deaths"])), "s3"),
                Line("elites come back", np.cumsum(np.nan_to_num(facts.figures["revivals"])), "s4"),
            ],
            unit="organelles, summed",
            from_zero=True,
            caption="Every child begins on trial; one that fails its trial dies too.",
        ),
        lines(
            "Lineages",
            [Line("lineages", facts.figures["lineages"], "s0")],
            unit="founders",
            from_zero=True,
            caption="Founders that live or have a descendant that lives.",
        ),
        bars(
            "Who lives, by lineage",
            _by_lineage(facts),
            unit="organelles alive",
            caption="Named by the founder, on the side of the first parents.",
        ),
    )
    return Section("lineage", "Lineage", about, (*shown(pictures, "Nobody was ever born."), *_tree(facts)))


_MOST_LINEAGES: Final = 9  # bars that fit beside a chart


def _by_lineage(facts: RunFacts) -> list[Bar]:
    living = Counter(record.lineage for record in facts.phylogeny if record.alive)
    ranked = sorted(living.items(), key=lambda pair: (-pair[1], pair[0]))
    found = [Bar(f"founder {founder}", count, "s0") for founder, count in ranked[:_MOST_LINEAGES]]
    rest = ranked[_MOST_LINEAGES:]
    return [*found, Bar(f"{len(rest)} others", sum(count for _, count in rest), "s6")] if rest else found


def _tree(facts: RunFacts) -> tuple[Block, ...]:
    from rich.console import Console

    if facts.extinct:
        return (Note("Nobody is alive, so there is no tree of survivors.", empty=True),)
    text = io.StringIO()
    console = Console(file=text, width=_TREE_WIDTH, highlight=False, markup=False, emoji=False, no_color=True)
    console.print(survivor_tree(facts.phylogeny))
    drawn = [line.rstrip() for line in text.getvalue().splitlines()]
    tree = Preformatted("\n".join(drawn[:_MOST_LINES]))
    if len(drawn) <= _MOST_LINES:
        return (tree,)
    return (tree, Note(f"{len(drawn) - _MOST_LINES} more lines: evolora lineage {facts.path}"))


def archive(facts: RunFacts) -> Section:
    about = "The best weights that ever worked in a cell, kept whether or not their owner still lives."
    if not facts.niches:
        why = "No organelle has worked long enough in a cell to be kept."
        if facts.settings.get("archive.enabled") is False:
            why = "The archive is switched off (archive.enabled)."
        return Section("archive", "Archive", about, (Note(why, empty=True),))
    best = np.full((len(facts.families), facts.depths), np.nan)
    for niche in facts.niches:
        place = divmod(niche.cell, facts.depths)
        best[place] = np.fmax(best[place], 100 * niche.objective)
    pictures = (
        by_depth(
            "Success of the best elite",
            facts.families,
            best,
            Shades(VIRIDIS, 0.0, 100.0, " %", 0),
            what="success of an elite",
            nothing="no elite",
            caption="Two failures are added to every record, so that a lucky few make no elite. Blank: no elite.",
        ),
        lines(
            "Coverage",
            [figure_line(facts, "coverage", "niches with an elite", "s0")],
            unit="share of niches with an elite",
            as_percent=True,
            caption="A niche is a family, a depth and a range of tokens per answer.",
        ),
        lines(
            "Quality and diversity",
            [figure_line(facts, "qd_score", "QD score", "s2")],
            unit="sum of the elites' success",
            from_zero=True,
            caption="The QD score: more niches with an elite, or better ones, raise it.",
        ),
    )
    return Section("archive", "Archive", about, shown(pictures, "The archive is empty."))
