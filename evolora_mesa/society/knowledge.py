"""The knowledge cache: answers that were paid in full, kept by cell for everybody to read, for a price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.config_society import KnowledgeConfig
from evolora_mesa.society.hint import Hint, Shelf, are_readable, beginning_of, length_of
from evolora_mesa.workload import Grades, Workload

if TYPE_CHECKING:
    from evolora_mesa.host.text import TextCodec
    from evolora_mesa.model import EcologyModel

__all__ = ["Knowledge"]


class Knowledge(Shelf):
    """Worked examples by cell, from paid work alone: no prompt of a gate, a selection or a test is ever in it.

    Args:
        settings: of the cache.
        codec: of the host that reads them.
    """

    def __init__(self, settings: KnowledgeConfig, codec: TextCodec) -> None:
        super().__init__(settings)
        self.settings, self._codec = settings, codec

    def at(self, cell: int) -> Sequence[Hint]:
        """The examples of a cell; where beginnings are asked for, the one that all of them share."""
        examples = super().at(cell)
        if self.settings.form == "example":
            return examples
        answers = [example.answer for example in examples]
        shared = beginning_of(answers, self.settings.longest) if len(answers) >= self.settings.evidence else ""
        return [Hint("", shared, length_of(shared, self._codec), examples[-1].until)] if shared else []

    def renew(self, model: EcologyModel, workload: Workload, grades: Grades, own: np.ndarray) -> None:
        """Old examples go, and the surest of this generation's fully paid answers come.

        Args:
            own: ``[rows]`` bool: rows that their owners answered for themselves.
        """
        self.expire(model.tick)
        right = np.flatnonzero(own & grades.success)
        surest = right[np.argsort(-workload.answers.log_probability.numpy()[right], kind="stable")]
        fresh = {
            cell: surest[workload.cells[surest] == cell][: self.settings.fresh].tolist()
            for cell in np.unique(workload.cells[right]).tolist()
        }
        readable = self._readable(workload, [row for rows in fresh.values() for row in rows])
        for cell, rows in fresh.items():
            kept = [row for row in rows if row in readable and self._keep(cell, workload, row, model.tick)]
            if kept:
                where = list(divmod(cell, model.grid.depths))
                model.events.append(("kept", None, {"cell": where, "rows": kept}))

    def _readable(self, workload: Workload, rows: Sequence[int]) -> set[int]:
        """Those of the rows whose question and answer may enter a prompt."""
        texts = [workload.tasks[row].prompt + workload.answers.texts[row] for row in rows]
        fine = are_readable(texts, self.settings.longest, self._codec)
        return {row for row, good in zip(rows, fine, strict=True) if good}

    def _keep(self, cell: int, workload: Workload, row: int, tick: int) -> bool:
        question, answer = workload.tasks[row].prompt, workload.answers.texts[row]
        return self.put(cell, Hint(question, answer, length_of(question + answer, self._codec), tick), tick)
