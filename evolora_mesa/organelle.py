"""An organelle: a tiny adapter that lives as an agent on the task grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesa.discrete_space import Cell, CellAgent

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Organelle"]


class Organelle(CellAgent):
    """One organism. Its weights live in the adapter bank and its energy in the ledger; it only holds the keys.

    Args:
        model: the world.
        slot: of the adapter bank.
        account: of the ledger.
        cell: where it lives first.
        parent: `None` for founders.

    Attributes:
        lineage: number of the founder it descends from.
        parent_id: of its parent, or `None`.
        born: generation of its birth; `age` is counted from it.
        unpaid_tickets: in a row.
        earned, spent: energy in this generation.
        answered, succeeded: episodes in this generation, and those that were paid in full.
    """

    def __init__(
        self, model: EcologyModel, *, slot: int, account: int, cell: Cell, parent: Organelle | None = None
    ) -> None:
        super().__init__(model)
        self.slot, self.account = slot, account
        self.parent_id = None if parent is None else parent.unique_id
        self.lineage: int = self.unique_id if parent is None else parent.lineage
        self.born = model.tick
        self.unpaid_tickets = 0
        self.earned = self.spent = 0.0
        self.answered = self.succeeded = 0
        self.cell = cell

    @property
    def energy(self) -> float:
        """What it owns, from the ledger."""
        return float(self.model.ledger.balance(self.account))

    @property
    def age(self) -> int:
        """Generations since its birth."""
        return self.model.tick - self.born

    @property
    def roi(self) -> float:
        """Return on investment in this generation: earned / spent; 0 when nothing was spent."""
        return self.earned / self.spent if self.spent > 0 else 0.0

    @property
    def bankrupt(self) -> bool:
        """Out of grace, and old enough not to be protected."""
        economy = self.model.config.economy
        return self.unpaid_tickets > economy.grace and self.age >= economy.protected_age
