"""What somebody who looks on remembers of a world that keeps no record of its own: the latest transfers and answers.

A generation costs a list of references, so it is cheap also for worlds of thousands; they are sorted by organelle only
when somebody asks, see `inspect`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from weakref import WeakKeyDictionary

from evolora_mesa.economy.ledger import IntArray, Observer
from evolora_mesa.workload import Shift

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Notebook", "Sheet", "Transfer"]

_SHEETS: Final = 8  # generations


class Transfer(NamedTuple):
    """One call of the ledger: energy from ``source`` to ``target`` accounts, ``quanta [n]``."""

    reason: str
    source: IntArray
    target: IntArray
    quanta: IntArray


class Sheet(NamedTuple):
    """One generation; ``shift`` is its work, `None` where nobody worked."""

    generation: int
    transfers: list[Transfer]
    shift: Shift | None


class Notebook:
    """The last generations of one world. It holds no reference to the world."""

    _of: ClassVar[WeakKeyDictionary[EcologyModel, Notebook]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.sheets: deque[Sheet] = deque(maxlen=_SHEETS)
        self._transfers: list[Transfer] = []
        self._before: Observer | None = None  # who looked at the ledger before us

    @classmethod
    def of(cls, model: EcologyModel) -> Notebook:
        """The one of a world, opened on first use."""
        notebook = cls._of.get(model)
        if notebook is None:
            notebook = cls._of[model] = cls()
        return notebook

    def turn(self, model: EcologyModel) -> None:
        """A generation is over: begin a new sheet. A record that was begun meanwhile is listened to as well."""
        if not self.sheets or self.sheets[-1].generation != model.tick:
            self.sheets.append(Sheet(model.tick, self._transfers, model.last_work))
            self._transfers = []
        if model.ledger.observer != self._see:
            self._before, model.ledger.observer = model.ledger.observer, self._see

    def _see(self, reason: str, source: IntArray, target: IntArray, quanta: IntArray) -> None:
        self._transfers.append(Transfer(reason, source, target, quanta))
        if self._before is not None:
            self._before(reason, source, target, quanta)
