"""The report of one run. What a run does not have is said, with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from evolora_mesa.record.report.answers import Answered, Beside
from evolora_mesa.record.report.bars import Bar, bars
from evolora_mesa.record.report.charts import Line, areas, lines
from evolora_mesa.record.report.document import (
    Block,
    Document,
    Figures,
    Folded,
    Note,
    Quote,
    Section,
    Series,
    Table,
    energy,
    number,
    percent,
)
from evolora_mesa.record.report.maps import CIVIDIS, MAGMA, VIRIDIS, Shades, by_depth, over_time
from evolora_mesa.record.report.outcome import outcome, tiles, told_ending
from evolora_mesa.record.report.pieces import changes_of, figure_line, shown
from evolora_mesa.record.report.reading import RunFacts
from evolora_mesa.record.report.selection import archive, gate, lineage, merges
from evolora_mesa.record.report.society import society

__all__ = ["footer", "report_of"]

# What an account holds, by what its figure is called; kinds that are not here come last, under their own name.
_ACCOUNTS: Final = {
    "energy_organelles": "organelles",
    "energy_cells": "pools of the cells",
    "energy_trials": "trials and grant fund",
}
_NO_STORES: Final = ("energy_soil", "energy_sun", "energy_gini")  # nobody can live on these

_OPEN_ANSWERS: Final = 9  # pairs of answers that are shown at once


def report_of(facts: RunFacts, answered: Answered) -> Document:
    """The report of a run."""
    ending = told_ending(facts)
    host = facts.settings.get("host.path", "?")
    return Document(
        title=facts.name,
        subtitle=f"{ending[0].upper()}{ending[1:]} · host {host} · begun {_moment(facts.meta.get('started', ''))}",
        told=outcome(facts),
        tiles=tiles(facts),
        sections=(
            _life(facts),
            _energy(facts),
            _market(facts),
            _progress(facts),
            gate(facts),
            merges(facts),
            lineage(facts),
            archive(facts),
            *society(facts),
            _answers(facts, answered),
            _cost(facts),
        ),
        footer=footer(facts),
    )


def _moment(started: str) -> str:
    """A time as people write it; what is none is shown as it is."""
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return started or "?"


def footer(facts: RunFacts) -> tuple[str, ...]:
    """What identifies the run."""
    versions = ", ".join(f"{name} {facts.meta[name]}" for name in ("torch", "numpy", "mesa") if name in facts.meta)
    return (
        f"Run {facts.path}, evolora-mesa {facts.meta.get('package', '?')}, {versions}.",
        f"Digest of the events to generation {facts.last}: {facts.digest}",
        f"Hash of the settings: {facts.meta.get('config_hash', '?')}",
    )


# ---------------------------------------------------------------- life and energy


def _life(facts: RunFacts) -> Section:
    pictures = (
        lines(
            "Return on investment",
            [figure_line(facts, "mean_roi", "mean ROI", "s0")],
            unit="energy earned / energy spent",
            reference=(1.0, "a living"),
            marks=changes_of(facts),
            caption="Mean over the organelles alive. Above 1 they grow richer, below 1 poorer.",
        ),
        lines(
            "Accuracy",
            [
                figure_line(facts, "accuracy", "running mean", "s0"),
                figure_line(facts, "success_rate", "this generation", "s5 thin"),
                figure_line(facts, "mean_reward", "mean reward", "s1 thin"),
            ],
            unit="share of answers",
            as_percent=True,
            marks=changes_of(facts),
            caption="Right and in the style that the cell pays for. The reward also counts, for less, right answers in "
            "another style.",
        ),
        lines(
            "Population",
            [
                Line("alive", facts.figures["population"], "s0"),
                Line("of these on trial", facts.figures["trials"], "s1"),
            ],
            unit="organelles",
            from_zero=True,
            marks=changes_of(facts),
        ),
    )
    about = "How the organelles fared, generation by generation."
    missing = "No generation has been lived yet: only the founding is on record."
    return Section("life", "Life", about, shown(pictures, missing))


def _energy(facts: RunFacts) -> Section:
    known = {*_ACCOUNTS, *_NO_STORES}
    others = [name for name in facts.figures if name.startswith("energy_") and name not in known]
    named = _ACCOUNTS | {name: name.removeprefix("energy_") for name in others}
    pictures = (
        areas(
            "Energy in the world, by account",
            [
                Line(label, facts.figures[name], f"s{place}")
                for place, (name, label) in enumerate(named.items())
                if name in facts.figures
            ],
            unit="energy",
            caption="What there is to live on. It comes from the sun and ends in the soil.",
        ),
        lines(
            "Energy given and spent so far",
            [
                Line("given by the sun", -facts.figures["energy_sun"], "s1"),
                Line("spent, in the soil", facts.figures["energy_soil"], "s3"),
            ],
            unit="energy, summed",
            from_zero=True,
            caption="Their difference is what the world holds: all accounts add up to zero.",
        ),
        lines(
            "Inequality",
            [figure_line(facts, "energy_gini", "Gini coefficient", "s4")],
            unit="Gini coefficient",
            from_zero=True,
            caption="Of the organelles' energy: 0 if all own the same, towards 1 if one owns everything.",
        ),
    )
    return Section("energy", "Energy", "Where it is, and where it went.", shown(pictures, "No energy is on record."))


# ---------------------------------------------------------------- cells


def _market(facts: RunFacts) -> Section:
    about = (
        "A cell is a task family at a depth. Its price is highest where half of the answers succeed: what half of them "
        "can do is worth most."
    )
    if not facts.families:
        return Section("market", "Prices and success", about, (Note("No cells are on record.", empty=True),))
    dearest, crowd = (
        max(float(np.nanmax(shot.layers[name], initial=0.0)) for shot in facts.snapshots)
        for name in ("price", "occupancy")
    )
    blocks = (
        _series(facts, "price", "Price of a success", Shades(CIVIDIS, 0.0, dearest, " energy"), "What one pays."),
        _series(
            facts,
            "success",
            "Success",
            Shades(VIRIDIS, 0.0, 100.0, " %", 0),
            "Per cent of the answers that were right and in the paid style: a running mean, which begins at 30 %.",
        ),
        _series(
            facts,
            "occupancy",
            "Who lives where",
            Shades(MAGMA, 0.0, max(crowd, 1.0), "", 0),
            "Organelles by the cell that they work in most. Blank: nobody.",
        ),
    )
    return Section("market", "Prices and success", about, blocks)


def _series(facts: RunFacts, layer: str, title: str, shades: Shades, caption: str) -> Series:
    pictures = []
    for shot in facts.snapshots:
        values = shot.layers[layer] * (100.0 if shades.unit == " %" else 1.0)
        nothing, what = "nothing known", layer
        if layer == "occupancy":
            values, nothing, what = np.where(values > 0, values, np.nan), "nobody", "number of organelles"
        when = f"generation {shot.generation}"
        picture = by_depth(when, facts.families, values, shades, what=what, nothing=nothing)
        pictures.append(replace(picture, scale=None))  # it stands once, below all of them
    return Series(title, tuple(pictures), shades.scale(), caption)


def _progress(facts: RunFacts) -> Section:
    about = (
        "Learning progress of a cell is the gap between a quick and a slow average of its success: it is large where "
        "answers get better (or worse), and draws the curious."
    )
    pictures = (
        lines(
            "Learning progress",
            [figure_line(facts, "learning_progress", "mean over cells", "s2")],
            unit="gap of success, mean over cells",
            as_percent=True,
            from_zero=True,
        ),
        lines(
            "Cells that are lived in",
            [figure_line(facts, "cells_occupied", "cells", "s0")],
            unit="cells",
            from_zero=True,
        ),
        lines(
            "Setbacks so far",
            [
                Line("put back to an earlier state", np.cumsum(np.nan_to_num(facts.figures["rolled_back"])), "s1"),
                Line("no longer finite", np.cumsum(np.nan_to_num(facts.figures["quarantined"])), "s3"),
            ],
            unit="adapters, summed",
            from_zero=True,
        ),
    )
    if not facts.steps.size:
        return Section("progress", "Learning", about, (Note("No generation has been lived yet.", empty=True),))
    most = float(np.nanmax(100 * facts.over_time["learning_progress"], initial=1.0))
    maps = tuple(
        over_time(
            title,
            facts.families,
            facts.steps,
            100 * facts.over_time[layer],
            facts.last,
            shades,
            caption="Mean over the family's depths.",
        )
        for layer, title, shades in (
            ("success", "Success by family", Shades(VIRIDIS, 0.0, 100.0, " %", 0)),
            ("learning_progress", "Learning progress by family", Shades(MAGMA, 0.0, most, " %", 0)),
        )
    )
    return Section("progress", "Learning", about, (*shown(pictures, ""), Figures(maps, wide=True)))


# ---------------------------------------------------------------- answers


def _answers(facts: RunFacts, answered: Answered) -> Section:
    about = (
        "By cell, the living organelle that did best there lately, and its latest answer, whether it was right or not; "
        "beside it what the bare host answers to the same prompt, when asked greedily. An illustration, not a "
        "measurement: evolora baselines compares them on a locked pool."
    )
    if not answered.pairs:
        why = "Nobody alive has answered anything lately."
        if facts.settings.get("record.episodes") == "none":
            why = "Episodes are not recorded in this run (record.episodes: none)."
        return Section("answers", "Answers now", about, (Note(why, empty=True),))
    best: dict[int, Beside] = {}
    for pair in answered.pairs:  # one per family: where the organelle has the most to show
        held = best.get(pair.choice.family)
        if held is None or pair.choice.wins > held.choice.wins:
            best[pair.choice.family] = pair
    first = list(best.values())[:_OPEN_ANSWERS]
    rest = [pair for pair in answered.pairs if pair not in first]
    blocks: list[Block] = [Note(answered.left_out)] if answered.left_out else []
    blocks.append(_answer_table(facts, first))
    if rest:
        blocks.append(Folded(f"All other cells ({len(rest)})", (_answer_table(facts, rest),)))
    return Section("answers", "Answers now", about, tuple(blocks))


def _answer_table(facts: RunFacts, pairs: list[Beside]) -> Table:
    host = () if pairs[0].host is None else ("frozen host",)
    return Table(("cell, paid style", "prompt", "organelle", *host), tuple(_answer_row(facts, pair) for pair in pairs))


def _answer_row(facts: RunFacts, pair: Beside) -> tuple[str | Quote, ...]:
    choice = pair.choice
    cell = f"{facts.families[choice.family]} {choice.depth + 1}" + (f", {pair.style}" if pair.style else "")
    judged = "paid in full" if choice.success else "not paid in full"
    mark = f"{judged}; organelle {choice.organelle}, {choice.wins} of {choice.tries} lately"
    row = (cell, Quote(choice.prompt), Quote(choice.answer, choice.success, mark))
    return row if pair.host is None else (*row, Quote(pair.host, pair.good, pair.verdict))


# ---------------------------------------------------------------- cost


def _cost(facts: RunFacts) -> Section:
    about = (
        "Tokens, energy and processor time. Gate prompts are counted on their own: they are asked to choose, not to "
        "live."
    )
    spent: dict[str, float] = {}
    for (reason, _, taker), amount in facts.flows.items():
        if taker == "soil":
            spent[reason] = spent.get(reason, 0.0) + amount
    pictures = (
        areas(
            "Tokens",
            [
                figure_line(facts, "prompt_tokens", "read in episodes", "s0"),
                figure_line(facts, "generated_tokens", "written in episodes", "s5"),
                figure_line(facts, "gate_tokens", "at the gate", "s1"),
            ],
            unit="tokens per generation",
        ),
        bars(
            "What energy was spent on",
            [Bar(reason, amount, "s3") for reason, amount in sorted(spent.items(), key=lambda pair: -pair[1])],
            unit="energy, over the whole run",
            write=energy,
        ),
        lines(
            "Processor time",
            [
                figure_line(facts, "step_seconds", "whole generation", "s0"),
                figure_line(facts, "host_seconds", "of these the host's answers", "s1"),
            ],
            unit="seconds per generation",
            from_zero=True,
        ),
    )
    blocks = list(shown(pictures, "No generation has been lived yet."))
    if not spent and facts.last:
        why = "What energy was spent on is not known: transfers are not recorded in this run (record.transfers)."
        blocks.append(Note(why, empty=True))
    if facts.total("episodes"):
        blocks.append(_bill(facts))
    return Section("cost", "Cost", about, tuple(blocks))


def _bill(facts: RunFacts) -> Table:
    answers, gate_answers = facts.total("episodes"), facts.total("gate_answers")
    right = float(np.nansum(facts.figures["success_rate"] * facts.figures["episodes"]))
    read, written, at_gate = (facts.total(name) for name in ("prompt_tokens", "generated_tokens", "gate_tokens"))
    spent = float(facts.figures["energy_soil"][-1])
    seconds, in_host = facts.total("step_seconds"), facts.total("host_seconds")
    rows = (
        ("episodes", number(answers), ""),
        ("of these right and in the paid style", number(right, 0), percent(right / answers)),
        ("tokens read in episodes", number(read), f"{read / answers:.1f} each"),
        ("tokens written in episodes", number(written), f"{written / answers:.1f} each"),
        ("gate answers", number(gate_answers), f"{percent(gate_answers / answers)} of the episodes"),
        ("tokens at the gate", number(at_gate), f"{percent(at_gate / (read + written + at_gate))} of all tokens"),
        ("energy spent", energy(spent), f"{spent / right:.2f} per answer paid in full" if right else ""),
        ("processor time", f"{number(seconds, 1)} s", f"{percent(in_host / seconds)} in the host" if seconds else ""),
    )
    return Table(("what", "amount", "in proportion"), rows, frozenset({1}))
