"""An organelle: a tiny adapter that lives as an agent on the task grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from weakref import WeakKeyDictionary

from mesa.discrete_space import Cell, CellAgent

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Organelle"]

_ATTRIBUTES: Final = (  # beside its parents and its cell
    "unique_id",
    "slot",
    "account",
    "lineage",
    "on_trial",
    "last_child",
    "born",
    "unpaid_tickets",
    "earned",
    "spent",
    "answered",
    "succeeded",
)


class Ancestor(Protocol):
    """A parent: an organelle, or what an elite of the archive once was."""

    @property
    def unique_id(self) -> int: ...

    @property
    def lineage(self) -> int: ...


class _Count(Iterator[int]):
    """Whole numbers from 1; ``upcoming`` is the next."""

    def __init__(self) -> None:
        self.upcoming = 1

    def __next__(self) -> int:
        self.upcoming += 1
        return self.upcoming - 1


class _Numbering:
    """For each world a count, forgotten with the world."""

    def __init__(self) -> None:
        self._counts: WeakKeyDictionary[object, _Count] = WeakKeyDictionary()

    def __getitem__(self, model: object) -> _Count:
        return self._counts.setdefault(model, _Count())


class Organelle(CellAgent):
    """One organism. Its weights live in the adapter bank and its energy in the ledger; it only holds the keys.

    Args:
        model: the world.
        slot: of the adapter bank.
        account: of the ledger.
        cell: where it lives first.
        parents: none for founders.

    Attributes:
        lineage: number of the founder it descends from, on the side of its first parent.
        parents: their ids.
        on_trial: it has not passed the gate yet.
        last_child: generation of its latest child, or `None`.
        born: generation of its birth; `age` is counted from it.
        unpaid_tickets: in a row.
        earned, spent: energy in this generation.
        answered, succeeded: episodes in this generation, and those that were paid in full.
    """

    # Where Mesa 3.3 takes `unique_id` from. Its own table holds every model for ever: 200 worlds were 740 MiB.
    _ids = _Numbering()

    def __init__(
        self, model: EcologyModel, *, slot: int, account: int, cell: Cell, parents: Sequence[Ancestor] = ()
    ) -> None:
        super().__init__(model)
        self.slot, self.account = slot, account
        self.parents = tuple(parent.unique_id for parent in parents)
        self.lineage: int = parents[0].lineage if parents else self.unique_id
        self.on_trial = False
        self.last_child: int | None = None
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

    def rested(self, cooldown: int) -> bool:
        """Whether its latest child is at least ``cooldown`` generations old."""
        return self.last_child is None or self.model.tick - self.last_child >= cooldown

    @property
    def roi(self) -> float:
        """Return on investment in this generation: earned / spent; 0 when nothing was spent."""
        return self.earned / self.spent if self.spent > 0 else 0.0

    @property
    def bankrupt(self) -> bool:
        """Out of grace, and old enough not to be protected."""
        economy = self.model.config.economy
        return self.unpaid_tickets > economy.grace and self.age >= economy.protected_age

    # ------------------------------------------------------------------ state

    @classmethod
    def upcoming_id(cls, model: EcologyModel) -> int:
        """The number of the next organelle to be born."""
        return cls._ids[model].upcoming

    @classmethod
    def reserve_id(cls, model: EcologyModel) -> int:
        """The number of an organelle that may be born later."""
        return next(cls._ids[model])

    @classmethod
    def set_upcoming_id(cls, model: EcologyModel, number: int) -> None:
        """Go on counting from ``number``."""
        cls._ids[model].upcoming = number

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in _ATTRIBUTES} | {
            "parents": list(self.parents),
            "cell": list(self.cell.coordinate),
        }

    @classmethod
    def from_state(cls, model: EcologyModel, state: Mapping[str, Any]) -> Self:
        """The inverse of `state_dict`; puts it into the world."""
        organelle = cls(model, slot=state["slot"], account=state["account"], cell=model.grid[tuple(state["cell"])])
        organelle.parents = tuple(state["parents"])
        for name in _ATTRIBUTES:
            setattr(organelle, name, state[name])
        return organelle
