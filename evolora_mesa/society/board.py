"""The message board: what helped one organelle in a cell is there for others to read, for a price and a royalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.config_society import BoardConfig
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.hint import Hint, Shelf, beginning_of, is_readable, length_of
from evolora_mesa.workload import Grades, Workload

if TYPE_CHECKING:
    from evolora_mesa.host.text import TextCodec
    from evolora_mesa.model import EcologyModel

__all__ = ["Board"]


class Board(Shelf):
    """Posts by cell.

    Args:
        settings: of the board.
        codec: of the host that reads them.
    """

    def __init__(self, settings: BoardConfig, codec: TextCodec) -> None:
        super().__init__(settings)
        self.settings, self._codec = settings, codec

    def renew(self, model: EcologyModel, workload: Workload, grades: Grades, own: np.ndarray) -> None:
        """Old posts go, and everybody posts what the cell that it did best in has taught it, if it can pay.

        Args:
            own: ``[rows]`` bool: rows that their owners answered for themselves.
        """
        self.expire(model.tick)
        for place, organelle in enumerate(model.organelles()):
            rows = np.flatnonzero(own & grades.success & (workload.owners == place))
            if not len(rows) or not model.policies.posts[organelle.slot]:
                continue
            cell = int(np.bincount(workload.cells[rows]).argmax())
            question, answer = self._lesson(workload, rows[workload.cells[rows] == cell])
            if is_readable(question + answer, self.settings.longest, self._codec):
                self._post(model, organelle, cell, question, answer)

    def _lesson(self, workload: Workload, rows: np.ndarray) -> tuple[str, str]:
        """Question and answer of a post, from rewarded rows of one cell; both empty where there is nothing to say."""
        texts = workload.answers.texts
        if self.settings.form == "example":
            surest = int(rows[workload.answers.log_probability.numpy()[rows].argmax()])
            return workload.tasks[surest].prompt, texts[surest]
        if len(rows) < self.settings.evidence:
            return "", ""
        return "", beginning_of([texts[row] for row in rows.tolist()], self.settings.longest)

    def _post(self, model: EcologyModel, organelle: Organelle, cell: int, question: str, answer: str) -> None:
        hint = Hint(question, answer, length_of(question + answer, self._codec), model.tick, organelle.unique_id)
        price = model.tariff.generated_token * hint.tokens
        if organelle.energy < price + model.tariff.ticket or not self.put(cell, hint, model.tick):
            return
        model.ledger.transfer(organelle.account, model.soil, price, "post")
        model.tally.fees[organelle.unique_id] += price
        where = list(divmod(cell, model.grid.depths))
        facts = {"cell": where, "hint": hint.number, "text": hint.text, "price": round(price, 6)}
        model.events.append(("posted", organelle.unique_id, facts))
