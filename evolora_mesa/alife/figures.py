"""The series in the collectors of classic models: what they are called, their units, and what is drawn together."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["FIGURES", "Figure", "figure_of"]


class Figure(NamedTuple):
    """How a series is told.

    Attributes:
        label: its own name.
        unit: in which it is counted.
        chart: title that it shares with others of its unit.
        from_zero: its axis begins there.
    """

    label: str
    unit: str
    chart: str
    from_zero: bool = True


_SITE: Final = "per site, 0 to 1"
_VALUE: Final = "interaction value, −1 to 1"

FIGURES: Final = {  # by model reporter
    "best_fitness": Figure("best fitness", _SITE, "Fitness", from_zero=False),
    "mean_fitness": Figure("mean fitness", _SITE, "Fitness", from_zero=False),
    "most_informative": Figure("most informative sites", "sites of a genome", "Informative sites"),
    "mean_informative": Figure("mean informative sites", "sites of a genome", "Informative sites"),
    "mean_host": Figure("mean host", _VALUE, "Interaction values", from_zero=False),
    "mean_symbiont": Figure("mean symbiont", _VALUE, "Interaction values", from_zero=False),
    "symbionts": Figure("symbionts", "alive", "Symbionts"),
    "parasites": Figure("parasites, below −0.4", "alive", "Symbionts"),
    "mutualists": Figure("mutualists, from 0.4", "alive", "Symbionts"),
    "foragers": Figure("foragers", "alive", "Foragers"),
    "vision": Figure("mean vision", "cells", "Vision"),
    "metabolism": Figure("mean metabolism", "sugar a step", "Metabolism"),
    "wealth_gini": Figure("inequality of wealth", "Gini coefficient, 0 to 1", "Inequality of wealth"),
    "sugar": Figure("sugar on the ground", "units", "Sugar on the ground"),
    "organisms": Figure("organisms", "alive", "Organisms"),
    "births": Figure("births", "a step", "Divisions"),
    "generation": Figure("mean generation", "divisions since the ancestor", "Generation"),
    "merit": Figure("mean merit", "relative share of processor time", "Merit"),
    "length": Figure("mean length of a genome", "instructions", "Length of genomes"),
    "sheep": Figure("sheep", "alive", "Animals"),
    "wolves": Figure("wolves", "alive", "Animals"),
    "grass": Figure("grown grass", "cells", "Grown grass"),
    "richest": Figure("the richest", "units of wealth", "The richest"),
    "broke": Figure("the broke", "agents without a unit", "The broke"),
} | {
    task: Figure(task, "organisms that do it", "Tasks of logic")
    for task in ("NOT", "NAND", "AND", "ORN", "OR", "ANDN", "NOR", "XOR", "EQU")
}


def figure_of(name: str) -> Figure:
    """How a series is told; one that is not in the list, by the name of its reporter."""
    told = name.replace("_", " ")
    return FIGURES.get(name) or Figure(told, "value", told.capitalize(), from_zero=False)
