"""What the sections of a report are put together from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from evolora_mesa.record.report.charts import Line
from evolora_mesa.record.report.document import Block, Figures, Note, Picture
from evolora_mesa.record.report.reading import RunFacts

__all__ = ["changes_of", "figure_line", "shown"]


def figure_line(facts: RunFacts, name: str, label: str, style: str) -> Line:
    """A figure of every generation that was lived; in the founding nobody has answered anything."""
    return Line(label, facts.figures.get(name, np.zeros(0))[1:], style, first=1)


def changes_of(facts: RunFacts) -> tuple[int, ...]:
    """Generations in which the world changed, for the marks of a chart."""
    return tuple(turn.generation for turn in facts.turns)


def shown(pictures: Iterable[Picture | None], missing: str) -> tuple[Block, ...]:
    """The pictures that there are, or why there are none."""
    found = tuple(picture for picture in pictures if picture is not None)
    return (Figures(found),) if found else (Note(missing, empty=True),)
