"""The table of the merging study: what every child kept, and two ways to write it down."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.study.baseline_table import markdown_table, save_texts

__all__ = ["KEPT", "MergeRow", "MergeTable"]

KEPT: Final = 0.9  # share of both parents' accuracies at home that a child must keep


@dataclass(frozen=True)
class MergeRow:
    """One child of one pair under one seed; accuracies on the test pool.

    Attributes:
        recipe: how it was made.
        weights: of the parents, where they were picked; else empty.
        first, second: families that the parents were trained on.
        own: of the parents, each at home: first in ``first``, second in ``second``.
        other: of the parents abroad: second in ``first``, first in ``second``.
        child: in ``first`` and in ``second``.
    """

    seed: int
    recipe: str
    weights: tuple[float, ...]
    first: str
    second: str
    own: tuple[float, float]
    other: tuple[float, float]
    child: tuple[float, float]

    @property
    def keeps_both(self) -> bool:
        """A skill that a parent has over the other one at home, of both parents."""
        return all(
            own > other and child >= KEPT * own
            for child, own, other in zip(self.child, self.own, self.other, strict=True)
        )


@dataclass(frozen=True)
class MergeTable:
    """Rows of all seeds, pairs and recipes; ``episodes`` are per specialist, ``test_tasks`` per child."""

    host: str
    pairs: int
    episodes: int
    test_tasks: int
    rows: tuple[MergeRow, ...]

    @property
    def recipes(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.recipe for row in self.rows))

    def kept(self, recipe: str) -> dict[int, int]:
        """By seed, in how many pairs the child keeps both skills."""
        found: dict[int, int] = {}
        for row in self.rows:
            if row.recipe == recipe:
                found[row.seed] = found.get(row.seed, 0) + row.keeps_both
        return found

    def accuracy(self, recipe: str) -> float:
        """Mean over seeds, pairs and both families."""
        return float(np.mean([row.child for row in self.rows if row.recipe == recipe]))

    def markdown(self, command: str | None = None) -> str:
        """How many skills every recipe keeps, and the parents beside."""
        any_recipe = [row for row in self.rows if row.recipe == self.recipes[0]]
        own, other = (100 * float(np.mean([getattr(row, name) for row in any_recipe])) for name in ("own", "other"))
        rows = []
        for recipe in self.recipes:
            kept = self.kept(recipe)
            weakest = np.mean([min(row.child) for row in self.rows if row.recipe == recipe])
            rows.append(
                [
                    recipe,
                    f"{100 * self.accuracy(recipe):.1f}",
                    f"{100 * weakest:.1f}",
                    f"{sum(kept.values())} of {len(any_recipe)}",
                    " ".join(str(count) for count in kept.values()),
                ]
            )
        return "\n".join(
            [
                f"# Merging two specialists on `{self.host}`",
                "",
                *([f"Made by `{command}`.", ""] if command else []),
                f"Per seed, one adapter per family, {self.episodes} episodes each, and {self.pairs} pairs of families"
                " that are paid for different styles. A child has seen no task after the merge. Accuracy (right, and"
                f" in the paid style) on {self.test_tasks} tasks of the `test` pool per child, half of either family;"
                f" a child keeps both skills when it has at least {100 * KEPT:.0f} % of each parent's accuracy at"
                " home. Weights are picked, and sites measured for `task_aware`, on the `gate` pool.",
                "",
                f"Parents at home {own:.1f} %, in the other's family {other:.1f} %.",
                "",
                *markdown_table(["child", "accuracy %", "weaker family %", "keeps both", "by seed"], rows),
                "",
            ]
        )

    def to_csv(self) -> str:
        """One line per child."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names = [f"{name}_{which}" for name in ("own", "other", "child") for which in ("first", "second")]
        writer.writerow(["seed", "recipe", "weights", "first", "second", *names, "keeps_both"])
        for row in self.rows:
            figures = asdict(row)
            numbers = [f"{value:.4f}" for name in ("own", "other", "child") for value in figures[name]]
            weights = " ".join(f"{weight:g}" for weight in row.weights)
            writer.writerow([row.seed, row.recipe, weights, row.first, row.second, *numbers, int(row.keeps_both)])
        return out.getvalue()

    def save(self, folder: Path, *, command: str | None = None) -> list[Path]:
        """Write ``merging.md`` and ``merging.csv`` into ``folder``.

        Raises:
            RunError: the folder cannot be written.
        """
        return save_texts(folder, {"merging.md": self.markdown(command), "merging.csv": self.to_csv()})
