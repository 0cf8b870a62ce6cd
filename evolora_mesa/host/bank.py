"""The adapter bank: the low-rank weights of every organelle, stacked, one slot each.

LoRA: E. J. Hu et al., "LoRA: low-rank adaptation of large language models" (2021). The weight change of a slot at a
site is ``scaling * B @ A``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import torch

from evolora_mesa.errors import AdapterError
from evolora_mesa.host.factors import FusedAdapters, fuse
from evolora_mesa.host.sites import Site

__all__ = ["BARE", "AdapterBank"]

BARE: Final = 0  # the slot of the bare host: always zero, never allocated, written or freed


class AdapterBank:
    """Stacked adapters of up to ``capacity - 1`` organelles; slot 0 is the bare host.

    Ranks differ between slots and sites; unused rows of A and columns of B are zero and stay zero.

    Args:
        sites: the adapted linear layers.
        capacity: number of slots, slot 0 included.
        max_rank: largest rank a slot can have.
        scaling: factor on every ``B @ A``.
        device, dtype: of all tensors; the host's.

    Attributes:
        a: by site name, ``[capacity, max_rank, d_in]``.
        b: by site name, ``[capacity, d_out, max_rank]``.
        ranks: ``[capacity, sites]``.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        *,
        capacity: int,
        max_rank: int = 8,
        scaling: float = 1.0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if not sites:
            raise AdapterError("an adapter needs a site", where="adapter.sites", do="Name at least one linear layer.")
        self.sites = tuple(sites)
        self.capacity, self.max_rank, self.scaling = capacity, max_rank, scaling
        self.a = {s.name: torch.zeros(capacity, max_rank, s.d_in, device=device, dtype=dtype) for s in sites}
        self.b = {s.name: torch.zeros(capacity, s.d_out, max_rank, device=device, dtype=dtype) for s in sites}
        self.ranks = torch.zeros(capacity, len(self.sites), dtype=torch.long)
        self._used = torch.zeros(capacity, dtype=torch.bool)
        self._used[BARE] = True

    @property
    def device(self) -> torch.device:
        return self.a[self.sites[0].name].device

    def used_slots(self) -> list[int]:
        """Allocated slots in ascending order, without the bare host's."""
        return self._used.nonzero().flatten().tolist()[1:]

    # ------------------------------------------------------------------ slots

    def allocate(self, count: int, rank: int, generator: torch.Generator) -> torch.Tensor:
        """Take ``count`` free slots for fresh adapters: A normal with variance 1/d_in, B zero, so ΔW = 0.

        Returns:
            ``[count]`` slot numbers, ascending.

        Raises:
            AdapterError: the rank is not in 1..max_rank, or too few slots are free.
        """
        if not 1 <= rank <= self.max_rank:
            raise AdapterError("no such adapter rank", where="adapter.rank", expected=f"1 to {self.max_rank}", got=rank)
        free = (~self._used).nonzero().flatten()
        if free.numel() < count:
            raise AdapterError(
                "the adapter bank is full",
                expected=f"{count} free slots",
                got=free.numel(),
                do="Raise population.maximum.",
            )
        slots = free[:count]
        self._used[slots] = True
        for site in self.sites:
            noise = torch.randn(count, rank, site.d_in, generator=generator) / math.sqrt(site.d_in)
            self.a[site.name][slots] = 0.0
            self.a[site.name][slots, :rank] = noise.to(self.a[site.name])
            self.b[site.name][slots] = 0.0
        self.ranks[slots] = rank
        return slots

    def free(self, slots: torch.Tensor | Sequence[int]) -> None:
        """Give slots back; their weights are zeroed."""
        slots = self._owned(slots)
        for site in self.sites:
            self.a[site.name][slots] = 0.0
            self.b[site.name][slots] = 0.0
        self.ranks[slots] = 0
        self._used[slots] = False

    def copy(self, sources: torch.Tensor | Sequence[int], targets: torch.Tensor | Sequence[int]) -> None:
        """Overwrite ``targets`` with the weights and ranks of ``sources``; both are lists of equal length."""
        sources, targets = torch.as_tensor(sources), self._owned(targets)
        for site in self.sites:
            self.a[site.name][targets] = self.a[site.name][sources]
            self.b[site.name][targets] = self.b[site.name][sources]
        self.ranks[targets] = self.ranks[sources]

    def _owned(self, slots: torch.Tensor | Sequence[int]) -> torch.Tensor:
        slots = torch.as_tensor(slots, dtype=torch.long)
        if bool((slots == BARE).any()) or not bool(self._used[slots].all()):
            raise AdapterError("slot is not allocated", expected="allocated slots", got=slots.tolist())
        return slots

    # ------------------------------------------------------------------ weights

    def read(self, slot: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """One adapter without padding: site name -> ``(A [rank, d_in], B [d_out, rank])``, copies on the CPU."""
        return {
            site.name: (
                self.a[site.name][slot, :rank].detach().cpu().clone(),
                self.b[site.name][slot, :, :rank].detach().cpu().clone(),
            )
            for site, rank in zip(self.sites, self.ranks[slot].tolist(), strict=True)
        }

    def write(self, slot: int, adapter: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Overwrite an allocated slot; the inverse of `read`. Sites that the adapter lacks become zero.

        Raises:
            AdapterError: an unknown site, a wrong shape, a rank above max_rank, or a number that is not finite.
        """
        self._owned([slot])
        unknown = sorted(set(adapter) - {site.name for site in self.sites})
        if unknown:
            raise AdapterError(
                "adapter has a site that this bank lacks",
                expected=", ".join(site.name for site in self.sites),
                got=unknown[0],
                do="Set adapter.sites to the sites it was made for.",
            )
        for site in self.sites:
            if site.name in adapter:
                _check_factors(site, *adapter[site.name], self.max_rank)
        for place, site in enumerate(self.sites):
            self.a[site.name][slot] = 0.0
            self.b[site.name][slot] = 0.0
            self.ranks[slot, place] = 0
            if site.name in adapter:
                a, b = adapter[site.name]
                self.a[site.name][slot, : a.shape[0]] = a.to(self.a[site.name])
                self.b[site.name][slot, :, : a.shape[0]] = b.to(self.b[site.name])
                self.ranks[slot, place] = a.shape[0]

    def fused(self, slots: torch.Tensor) -> FusedAdapters:
        """The compute form of the given slots, trimmed to the largest rank among them."""
        rank = max(1, int(self.ranks[slots].max()))
        factors = {
            site.name: (self.a[site.name][slots, :rank], self.b[site.name][slots, :, :rank]) for site in self.sites
        }
        return fuse(self.sites, factors, self.scaling)

    def norms(self, slots: torch.Tensor) -> torch.Tensor:
        """``[slots, sites]`` Frobenius norms of ΔW = scaling * B @ A, through the small rank-by-rank products."""
        columns = []
        for site in self.sites:
            a, b = self.a[site.name][slots].float(), self.b[site.name][slots].float()
            gram = (b.transpose(1, 2) @ b) * (a @ a.transpose(1, 2))  # tr(BᵀB · AAᵀ) = ‖BA‖²
            columns.append(gram.sum((1, 2)).clamp(min=0).sqrt() * abs(self.scaling))
        return torch.stack(columns, 1)

    def parameter_counts(self, slots: torch.Tensor) -> torch.Tensor:
        """``[slots]`` adapter weights in use: rank * (d_in + d_out), summed over sites."""
        widths = torch.tensor([site.d_in + site.d_out for site in self.sites])
        return (self.ranks[slots] * widths).sum(1)

    def finite(self, slots: torch.Tensor) -> torch.Tensor:
        """``[slots]`` whether every weight is a finite number."""
        ok = torch.ones(len(slots), dtype=torch.bool)
        for site in self.sites:
            ok &= self.a[site.name][slots].isfinite().all(-1).all(-1).cpu()
            ok &= self.b[site.name][slots].isfinite().all(-1).all(-1).cpu()
        return ok


def _check_factors(site: Site, a: torch.Tensor, b: torch.Tensor, max_rank: int) -> None:
    rank = a.shape[0] if a.dim() == 2 else -1
    if a.shape != (rank, site.d_in) or b.shape != (site.d_out, rank) or not 1 <= rank <= max_rank:
        raise AdapterError(
            "adapter has another shape than its site",
            where=site.name,
            expected=f"A [r, {site.d_in}] and B [{site.d_out}, r] with r up to {max_rank}",
            got=(tuple(a.shape), tuple(b.shape)),
        )
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        raise AdapterError("adapter holds NaN or infinity", where=site.name, do="Discard this adapter.")
