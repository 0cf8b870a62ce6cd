"""What the cells pay: claims on a pool that is too small are paid pro rata.

A limited resource that its users deplete makes each niche worth less the more crowded it is, which lets
specialists coexist (Chow et al. 2004, "Adaptive radiation from resource competition in digital organisms",
Science 305:84-86).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY, to_quanta
from evolora_mesa.errors import LedgerError

__all__ = ["settle_claims"]


def settle_claims(pools: ArrayLike, cell_of_row: ArrayLike, claim: ArrayLike) -> NDArray[np.float64]:
    """Energy paid for each row: its claim, or its share of the pool where the cell is crowded.

    Shares are rounded down to whole quanta, so that a pool is never overdrawn by rounding; fewer quanta than
    the cell has rows stay in the pool for the next generation. The order of the rows does not matter.

    Args:
        pools: energy in each cell's pool, ``(n_cells,)``, >= 0.
        cell_of_row: index into ``pools`` of the cell each row worked in, ``(n,)``.
        claim: energy each row claims, its price times its reward, ``(n,)``, >= 0.

    Returns:
        Energies ``(n,)`` in whole quanta, never above the claim. Summed over a cell they never pass its pool.

    Raises:
        LedgerError: a pool or claim is negative or not finite, lengths differ, or a cell does not exist.
    """
    pool, claimed = _whole_quanta(pools), _whole_quanta(claim)  # (n_cells,), (n,)
    cell = np.asarray(cell_of_row)
    if cell.shape != claimed.shape:
        raise LedgerError("a claim has no cell", expected=f"{claimed.shape} cells", got=cell.shape)
    cell = cell.astype(np.int64)
    if cell.size and not (cell.min() >= 0 and cell.max() < len(pool)):
        raise LedgerError("no such cell", expected=f"0 to {len(pool) - 1}", got=[int(cell.min()), int(cell.max())])
    demand = np.zeros_like(pool)
    np.add.at(demand, cell, claimed)
    crowded = demand[cell] > pool[cell]  # (n,)
    paid = claimed.copy()
    # Python integers: claim times pool can pass 2**63, and a float quotient can round up into an overdraft.
    share = claimed[crowded].astype(object) * pool[cell[crowded]] // demand[cell[crowded]]
    paid[crowded] = share.astype(np.int64)
    return np.asarray(paid / QUANTA_PER_ENERGY)


def _whole_quanta(energy: ArrayLike) -> NDArray[np.int64]:
    """The most quanta that are not above each energy. A ledger balance keeps every quantum it has."""
    quanta = to_quanta(energy)
    return quanta - (quanta / QUANTA_PER_ENERGY > np.asarray(energy))
