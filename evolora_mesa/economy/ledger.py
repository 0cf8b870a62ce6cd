"""The double-entry ledger: energy only ever moves, so the sum over all accounts is exactly zero.

Energies are floats at the border and whole quanta (int64) inside. Integers add without rounding, which is
what lets ``total() == 0`` be an equality rather than a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias, TypeGuard, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evolora_mesa.errors import LedgerError

__all__ = ["KINDS", "QUANTA_PER_ENERGY", "Ledger", "Observer", "to_quanta"]

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]
Amounts: TypeAlias = FloatArray | IntArray
Observer: TypeAlias = Callable[[str, IntArray, IntArray, IntArray], None]

KINDS = ("sun", "soil", "grant", "cell", "organelle", "trial", "colony")
QUANTA_PER_ENERGY = 1_000_000

# Below 2**51 quanta (2.25e9 energy) reading a balance as a float and rounding it back gives the same
# quanta: two roundings of half a unit in the last place stay under half a quantum. So paying out a
# balance that was read empties the account.
LARGEST_QUANTA = 2**51
# The sun gives without limit in practice: 1e12 energy, kept only to stay clear of the end of int64 (2**63).
_FARTHEST_BALANCE = 2**60
_LOWEST_BALANCE = np.array([-_FARTHEST_BALANCE if kind == "sun" else 0 for kind in KINDS], dtype=np.int64)
_FIRST_CAPACITY = 64


def to_quanta(energy: ArrayLike) -> IntArray:
    """Energies rounded to the nearest whole quantum; same shape.

    Raises:
        LedgerError: an energy is negative, not finite, or all together exceed ``LARGEST_QUANTA``.
    """
    energies = np.asarray(energy, dtype=np.float64)
    valid = np.isfinite(energies) & (energies >= 0)
    if not valid.all():
        raise LedgerError(
            "an amount of energy is not valid",
            expected="finite numbers of at least 0",
            got=float(energies[~valid].flat[0]),
        )
    largest = LARGEST_QUANTA / QUANTA_PER_ENERGY
    if energies.max(initial=0.0) > largest or energies.sum() > largest:  # the maximum first: sums overflow
        raise LedgerError("too much energy at once", expected=f"at most {largest:.4g} in all")
    return np.rint(energies * QUANTA_PER_ENERGY).astype(np.int64)


class Ledger:
    """Accounts of energy, and the only way to change them: a transfer with a reason.

    Args:
        observer: called as ``observer(reason, source, target, quanta)`` after every transfer that moved
            something, with three int64 arrays ``(n,)``. Rows that moved nothing are left out.

    The sun may go below zero: its balance is minus the energy it has put into the world. Nobody else may.
    """

    def __init__(self, *, observer: Observer | None = None) -> None:
        self.observer = observer
        self._clear(capacity=_FIRST_CAPACITY)

    def _clear(self, capacity: int) -> None:
        self._quanta: IntArray = np.zeros(capacity, dtype=np.int64)
        self._kind: NDArray[np.int8] = np.zeros(capacity, dtype=np.int8)  # index into KINDS
        self._is_open: NDArray[np.bool_] = np.zeros(capacity, dtype=np.bool_)
        self._labels: dict[int, str] = {}  # open accounts only, in the order of their ids
        self._opened = 0  # accounts ever opened, which is also the next id
        self._flows: dict[str, int] = {}  # quanta by reason, this generation

    # Accounts

    def open(self, kind: str, label: str = "") -> int:
        """Open an empty account and return its id. Ids count up from 0 and are never used again.

        Raises:
            LedgerError: ``kind`` is not one of ``KINDS``.
        """
        if kind not in KINDS:
            raise LedgerError("unknown kind of account", expected=" | ".join(KINDS), got=kind)
        account = self._opened
        if account == len(self._quanta):
            self._quanta = np.concatenate([self._quanta, np.zeros_like(self._quanta)])
            self._kind = np.concatenate([self._kind, np.zeros_like(self._kind)])
            self._is_open = np.concatenate([self._is_open, np.zeros_like(self._is_open)])
        self._kind[account] = KINDS.index(kind)
        self._is_open[account] = True
        self._labels[account] = label
        self._opened += 1
        return account

    def close(self, account: int, heir: int, reason: str = "death") -> float:
        """Move what is left to ``heir``, retire the id, and return the energy that moved.

        Raises:
            LedgerError: either account is not open, both are the same, or ``account`` is a sun.
        """
        self._require_open(np.asarray([account, heir]))
        if self._kind[account] == KINDS.index("sun"):
            raise LedgerError("a sun cannot be closed", where=self._name(account))
        left = self.transfer(account, heir, self.balance(account), reason)
        self._is_open[account] = False
        del self._labels[account]
        return left

    # Energy

    @overload
    def transfer(self, source: int, target: int, amount: float, reason: str, *, up_to: bool = False) -> float: ...

    @overload
    def transfer(
        self, source: int, target: int, amount: Amounts, reason: str, *, up_to: bool = False
    ) -> FloatArray: ...

    @overload
    def transfer(
        self, source: int, target: IntArray, amount: float | Amounts, reason: str, *, up_to: bool = False
    ) -> FloatArray: ...

    @overload
    def transfer(
        self,
        source: IntArray,
        target: int | IntArray,
        amount: float | Amounts,
        reason: str,
        *,
        up_to: bool = False,
    ) -> FloatArray: ...

    def transfer(
        self,
        source: int | IntArray,
        target: int | IntArray,
        amount: float | Amounts,
        reason: str,
        *,
        up_to: bool = False,
    ) -> float | FloatArray:
        """Move energy between accounts: all rows of the call, or none of them.

        The rows happen at the same moment: what a source gives is summed over its rows and held against its
        balance before the call, so energy received in a call cannot be spent in the same call.

        Args:
            source: account id, or ids ``(n,)``.
            target: account id, or ids ``(n,)``; never equal to the source.
            amount: energy >= 0, or energies ``(n,)``; rounded to quanta. 0 leaves no trace in ``flows``.
            reason: what the energy is for, as one word; the key in ``flows``.
            up_to: let a source that cannot pay its amount pay all that it has. Needs distinct sources.

        Returns:
            The energies that moved, ``(n,)``, or a float when source, target and amount are all scalars.

        Raises:
            LedgerError: arrays of unequal length, an account that is not open, a negative or non-finite
                amount, an empty reason, a transfer to itself, an overdraft, or a repeated source with
                ``up_to``.
        """
        if not reason:
            raise LedgerError("a transfer has no reason", do="Name what the energy is for")
        sources, targets, quanta, scalar = _as_rows(source, target, amount)
        self._require_open(sources)
        self._require_open(targets)
        if (same := sources == targets).any():
            raise LedgerError("a transfer to itself", where=self._name(sources[same][0]))
        givers, row_giver, rows_of_giver = np.unique(sources, return_inverse=True, return_counts=True)
        spendable = self._quanta[givers] - _LOWEST_BALANCE[self._kind[givers]]  # (n_givers,)
        if up_to:
            if (rows_of_giver > 1).any():
                raise LedgerError(
                    "a source is repeated in a transfer of up to an amount",
                    where=self._name(givers[rows_of_giver > 1][0]),
                    do="Sum its amounts first",
                )
            quanta = np.minimum(quanta, spendable[row_giver])
        else:
            asked = np.zeros_like(spendable)
            np.add.at(asked, row_giver, quanta)
            if (short := asked > spendable).any():
                raise LedgerError(
                    f"{self._name(givers[short][0])} would be overdrawn",
                    where=reason,
                    expected=f"at most {spendable[short][0] / QUANTA_PER_ENERGY} energy",
                    got=asked[short][0].item() / QUANTA_PER_ENERGY,
                )
        self._book(reason, sources, targets, quanta)
        moved: FloatArray = quanta / QUANTA_PER_ENERGY
        return float(moved[0]) if scalar else moved

    def _book(self, reason: str, source: IntArray, target: IntArray, quanta: IntArray) -> None:
        moving = quanta > 0
        if not moving.any():
            return
        source, target, quanta = source[moving], target[moving], quanta[moving]
        np.subtract.at(self._quanta, source, quanta)
        np.add.at(self._quanta, target, quanta)
        self._flows[reason] = self._flows.get(reason, 0) + int(quanta.sum())
        if self.observer is not None:
            self.observer(reason, source, target, quanta)

    # Reading

    @overload
    def balance(self, account: int) -> float: ...

    @overload
    def balance(self, account: IntArray) -> FloatArray: ...

    def balance(self, account: int | IntArray) -> float | FloatArray:
        """Energy of one account, or energies ``(n,)`` of an array of accounts.

        Raises:
            LedgerError: an account is not open.
        """
        accounts = _as_accounts(account)
        self._require_open(accounts)
        energy: FloatArray = self._quanta[accounts] / QUANTA_PER_ENERGY
        return float(energy) if accounts.ndim == 0 else energy

    def total(self) -> int:
        """Sum over all accounts in quanta: 0, always."""
        return int(self._quanta.sum())

    def by_kind(self) -> dict[str, float]:
        """Energy held by all accounts of each kind; every kind has an entry."""
        sums = np.zeros(len(KINDS), dtype=np.int64)
        np.add.at(sums, self._kind, self._quanta)  # closed and unused accounts hold 0
        return {kind: int(quanta) / QUANTA_PER_ENERGY for kind, quanta in zip(KINDS, sums, strict=True)}

    def kinds(self, accounts: IntArray) -> list[str]:
        """Kind of each account ``(n,)``; also of closed ones, until the ledger is loaded anew."""
        return [KINDS[kind] for kind in self._kind[accounts].tolist()]

    def holdings(self) -> tuple[IntArray, IntArray]:
        """Accounts that are not empty, ascending, and their balances in quanta; ``(n,)`` each."""
        accounts = np.flatnonzero(self._quanta)
        return accounts, self._quanta[accounts]

    @property
    def flows(self) -> dict[str, float]:
        """Energy moved since ``begin_generation``, by reason."""
        return {reason: quanta / QUANTA_PER_ENERGY for reason, quanta in self._flows.items()}

    def begin_generation(self) -> None:
        """Start counting ``flows`` afresh."""
        self._flows = {}

    # State

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on from here, as plain JSON values. The observer is not part of it."""
        accounts = [
            {
                "id": account,
                "kind": KINDS[self._kind[account]],
                "label": label,
                "quanta": self._quanta[account].item(),
            }
            for account, label in self._labels.items()
        ]
        return {"accounts": accounts, "opened": self._opened, "flows": dict(self._flows)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace all accounts by what ``state_dict`` returned. A state that is refused changes nothing.

        Raises:
            LedgerError: the state is incomplete, of the wrong types, overdrawn, or does not sum to zero.
        """
        accounts, opened, flows = _checked_state(state)
        capacity = _FIRST_CAPACITY
        while capacity < opened:
            capacity *= 2
        self._clear(capacity)
        self._opened, self._flows = opened, flows
        for row in accounts:
            account = row["id"]
            self._quanta[account] = row["quanta"]
            self._kind[account] = KINDS.index(row["kind"])
            self._is_open[account] = True
            self._labels[account] = row["label"]

    # Checks

    def _name(self, account: int) -> str:
        label = self._labels[int(account)]
        return f"{KINDS[self._kind[account]]} account {account}" + (f" '{label}'" if label else "")

    def _require_open(self, accounts: IntArray) -> None:
        known = (accounts >= 0) & (accounts < self._opened)
        is_open = known & self._is_open[np.where(known, accounts, 0)]
        if not is_open.all():
            raise LedgerError(
                "no such account, or it is closed",
                expected="the id of an open account",
                got=int(accounts[~is_open].flat[0]),
            )


def _as_accounts(account: int | IntArray) -> IntArray:
    accounts = np.asarray(account)
    # np.array([]) is a float array: a world without organelles must not trip over that.
    if accounts.size and not np.issubdtype(accounts.dtype, np.integer):
        raise LedgerError("an account id is not an integer", got=accounts.flat[0].item())
    return accounts.astype(np.int64)


def _as_rows(
    source: int | IntArray, target: int | IntArray, amount: float | Amounts
) -> tuple[IntArray, IntArray, IntArray, bool]:
    """Sources, targets and quanta, each ``(n,)``, and whether all three were scalars (then n is 1)."""
    sources, targets, amounts = _as_accounts(source), _as_accounts(target), np.asarray(amount)
    shapes = [column.shape for column in (sources, targets, amounts) if column.ndim]
    if len(set(shapes)) > 1 or any(len(shape) > 1 for shape in shapes):
        raise LedgerError(
            "source, target and amount do not match",
            expected="scalars or one-dimensional arrays of equal length",
            got=[sources.shape, targets.shape, amounts.shape],
        )
    rows = shapes[0] if shapes else (1,)
    return (
        np.broadcast_to(sources, rows),
        np.broadcast_to(targets, rows),
        to_quanta(np.broadcast_to(amounts, rows)),
        not shapes,
    )


def _checked_state(state: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
    """The parts of a saved state: accounts in the order of their ids, how many were ever opened, flows."""

    def whole(value: object) -> TypeGuard[int]:
        return isinstance(value, int) and not isinstance(value, bool)

    def fault(what: str, got: object) -> LedgerError:
        do = "Load a state that Ledger.state_dict returned"
        return LedgerError(what, where="ledger state", got=got, do=do)

    accounts, opened, flows = state.get("accounts"), state.get("opened"), state.get("flows")
    if not isinstance(accounts, list) or not whole(opened) or not isinstance(flows, dict):
        raise fault("the saved ledger is incomplete", list(state))
    for row in accounts:
        if not isinstance(row, dict) or not whole(row.get("id")) or not whole(row.get("quanta")):
            raise fault("a saved account lacks its id or quanta", row)
        if row.get("kind") not in KINDS or not isinstance(row.get("label"), str):
            raise fault("a saved account lacks its kind or label", row)
        if not _LOWEST_BALANCE[KINDS.index(row["kind"])] <= row["quanta"] <= _FARTHEST_BALANCE:
            raise fault("a saved account is out of range", row)
    ids = [row["id"] for row in accounts]
    if any(later <= earlier for earlier, later in pairwise([-1, *ids, opened])):
        raise fault("saved account ids do not rise from 0 to the number opened", ids)
    if (total := sum(row["quanta"] for row in accounts)) != 0:
        raise fault("the saved accounts do not sum to zero", total)
    if not all(isinstance(reason, str) and whole(quanta) and quanta > 0 for reason, quanta in flows.items()):
        raise fault("a saved flow is not a positive number of quanta", flows)
    return accounts, opened, flows.copy()
