"""The algebra that merges, crossovers and mutations share: weight changes ΔW = B·A as singular value decompositions.

A decomposition is made of thin QR factors and the singular values of their small product, so ΔW itself (151,936 x 1,024
for the head of a 0.6-billion-parameter model) is never formed. It belongs to ΔW, not to A and B: two factorisations of
one ΔW have the same decomposition. Sites of equal shape are worked on together, all children at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import torch
from torch.nn.functional import pad

from evolora_mesa.errors import AdapterError
from evolora_mesa.host import AdapterBank

__all__ = [
    "Brood",
    "Spectrum",
    "aligned",
    "check_family",
    "checked",
    "compose",
    "decompose",
    "from_core",
    "shape_groups",
    "stack_factors",
    "write_together",
]

_SILENT: Final = 1e-6  # of the largest singular value: what rounding leaves of a component that is not in use
_ALIGNED: Final = 16  # floats in 64 bytes
_TOO_LARGE: Final = "Lower the merge weights or the mutation strength."


class Spectrum(NamedTuple):
    """Singular value decompositions of m matrices.

    Attributes:
        left: ``[m, d_out, c]``, orthonormal columns; the largest number of each is positive.
        values: ``[m, c]``, descending.
        right: ``[m, c, d_in]``, orthonormal rows.
    """

    left: torch.Tensor
    values: torch.Tensor
    right: torch.Tensor

    def in_use(self) -> torch.Tensor:
        """``[m, c]`` whether a component is more than rounding."""
        return self.values > _SILENT * self.values[:, :1]


def decompose(a: torch.Tensor, b: torch.Tensor, most: int | None = None) -> Spectrum:
    """Singular value decomposition of ``b @ a`` for ``a [m, r, d_in]`` and ``b [m, d_out, r]``.

    With ``most`` only that many of the largest components, which spares the products for the others. Components beyond
    the rank of ``b @ a`` have the value 0 and still have orthonormal directions.
    """
    q_out, r_out = torch.linalg.qr(b)
    q_in, r_in = torch.linalg.qr(a.transpose(1, 2))
    return from_core(q_out, r_out @ r_in.transpose(1, 2), q_in.transpose(1, 2), most)


def from_core(left: torch.Tensor, core: torch.Tensor, right: torch.Tensor, most: int | None = None) -> Spectrum:
    """As `decompose`, for ``left @ core @ right`` with orthonormal columns in ``left`` and rows in ``right``."""
    inner_left, values, inner_right = torch.linalg.svd(checked(core), full_matrices=False)
    left, values, right = left @ inner_left[:, :, :most], values[:, :most], inner_right[:, :most] @ right
    # A pair of directions may change its sign together; which sign comes out depends on the factorisation.
    sign = left.gather(1, left.abs().argmax(1, keepdim=True)).sign()  # [m, 1, c]
    return Spectrum(left * sign, values, right * sign.transpose(1, 2))


def checked(core: torch.Tensor) -> torch.Tensor:
    """``core``, unless it holds NaN or infinity, on which LAPACK would give up.

    Raises:
        AdapterError: it does: the factors or their weights overflow.
    """
    if not bool(core.isfinite().all()):
        raise AdapterError("a child would hold NaN or infinity", do=_TOO_LARGE)
    return core


def compose(spectrum: Spectrum, ranks: torch.Tensor, max_rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors of the largest ``ranks [m]`` components, padded with zeros: ``A [m, max_rank, d_in]`` and
    ``B [m, d_out, max_rank]``.

    B carries the singular values and A has unit rows, so that a silent component can still be learned.
    """
    short = max(0, max_rank - spectrum.values.shape[1])
    places = torch.arange(max_rank, device=spectrum.values.device)
    used = (places < ranks.to(places)[:, None]).to(spectrum.values)  # [m, max_rank]
    values = pad(spectrum.values[:, :max_rank], (0, short)) * used
    left = pad(spectrum.left[:, :, :max_rank], (0, short))
    right = pad(spectrum.right[:, :max_rank], (0, 0, 0, short))
    return right * used[:, :, None], left * values[:, None, :]


def shape_groups(bank: AdapterBank) -> list[list[int]]:
    """Numbers of the bank's sites, those of equal shape together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, site in enumerate(bank.sites):
        groups.setdefault((site.d_in, site.d_out), []).append(place)
    return list(groups.values())


def stack_factors(bank: AdapterBank, slots: torch.Tensor, places: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors of ``slots [n, k]`` at s sites of equal shape, the k slots side by side, as 32-bit floats.

    The widths are padded with zeros to whole cache lines, here and not later. Without it a matrix starts at another
    alignment when it rides in another batch, MKL then adds in another order, and the last bits of a child differ.

    Returns:
        ``A [n * s, k * max_rank, d_in]`` and ``B [n * s, d_out, k * max_rank]``; `Brood` takes the padding off again.
    """
    names = [bank.sites[place].name for place in places]
    count, k = slots.shape
    a = torch.stack([bank.a[name][slots] for name in names], 1).float()  # [n, s, k, max_rank, d_in]
    b = torch.stack([bank.b[name][slots] for name in names], 1).float()  # [n, s, k, d_out, max_rank]
    a, b = aligned(a, -1, -2), aligned(b, -2, -1)
    a = a.flatten(2, 3).flatten(0, 1)
    b = b.transpose(2, 3).reshape(count * len(places), b.shape[3], k * b.shape[4])
    return a, b


def aligned(factors: torch.Tensor, width: int, rank: int) -> torch.Tensor:
    """Zeros at the end of the negative dimensions ``width`` and ``rank``, so that every matrix fills cache lines."""
    more = [0, 0, 0, 0]
    more[2 * (-1 - width) + 1] = -factors.shape[width] % _ALIGNED
    more[2 * (-1 - rank) + 1] = -factors.shape[rank] % 4  # products of two ranks have 16 floats
    return pad(factors, more) if any(more) else factors


class Brood:
    """Children that are worked out first and written together, or not at all.

    Args:
        bank: of parents and children.
        children: ``[n]`` allocated slots.
    """

    def __init__(self, bank: AdapterBank, children: torch.Tensor) -> None:
        self._bank, self._children = bank, children
        self._factors: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def add(self, places: Sequence[int], spectrum: Spectrum, ranks: torch.Tensor) -> None:
        """The weights of all children at s sites of equal shape: a spectrum of n * s changes, ``ranks [n, s]``."""
        site = self._bank.sites[places[0]]
        ranks = ranks.clamp(0, min(self._bank.max_rank, site.d_in, site.d_out))
        a, b = compose(spectrum, ranks.flatten(), self._bank.max_rank)
        a = a[:, :, : site.d_in].unflatten(0, ranks.shape)  # [n, s, max_rank, d_in]
        b = b[:, : site.d_out].unflatten(0, ranks.shape)
        for column, place in enumerate(places):
            self._factors[place] = (a[:, column], b[:, column], ranks[:, column])

    def factors(self) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
        """By site number, A ``[n, max_rank, d_in]`` and B ``[n, d_out, max_rank]`` in the bank's number format.

        Raises:
            AdapterError: a child would hold NaN or infinity.
        """
        stored = {}
        for place, (a, b, _) in self._factors.items():
            name = self._bank.sites[place].name
            stored[place] = a.to(self._bank.a[name]), b.to(self._bank.b[name])
            # A sum with NaN or infinity in it is not finite either, and is had fifty times as fast as a look at each.
            if not all(bool(factor.sum().isfinite()) for factor in stored[place]):
                raise AdapterError("a child would hold NaN or infinity", where=name, do=_TOO_LARGE)
        return stored

    def write(self, factors: Mapping[int, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Write what `factors` returned."""
        for place, (a, b) in factors.items():
            name = self._bank.sites[place].name
            self._bank.a[name][self._children], self._bank.b[name][self._children] = a, b
            self._bank.ranks[self._children, place] = self._factors[place][2]


def write_together(*broods: Brood) -> None:
    """Write all broods or none.

    Raises:
        AdapterError: a child would hold NaN or infinity; nothing is written.
    """
    ready = [brood.factors() for brood in broods]
    for brood, factors in zip(broods, ready, strict=True):
        brood.write(factors)


def check_family(bank: AdapterBank, parents: torch.Tensor, children: torch.Tensor) -> None:
    """Refuse a family before anything is computed.

    Args:
        parents: ``[n, k]``.
        children: ``[n]``.

    Raises:
        AdapterError: lists of different lengths, a child that is not allocated or twice there, or a parent that holds
            NaN or infinity.
    """
    if parents.dim() != 2 or not parents.shape[1] or children.shape != parents.shape[:1]:
        raise AdapterError(
            "parents do not fit children",
            expected="parents [n, k] and children [n]",
            got=(tuple(parents.shape), tuple(children.shape)),
        )
    wanted = children.tolist()
    if len(set(wanted)) < len(wanted) or not set(wanted) <= set(bank.used_slots()):
        raise AdapterError("children need slots of their own", expected="different allocated slots", got=wanted)
    healthy = bank.finite(parents.flatten())
    if not bool(healthy.all()):
        raise AdapterError(
            "a parent holds NaN or infinity",
            where="adapter bank",
            got=parents.flatten()[~healthy].tolist(),
            do="Discard this adapter.",
        )
