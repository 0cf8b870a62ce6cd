"""The adapter bank: the low-rank weights of every organelle, stacked, one slot each.

LoRA: E. J. Hu et al., "LoRA: low-rank adaptation of large language models" (2021). The weight change of a slot at a
site is ``scaling * B @ A``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from evolora_mesa.errors import AdapterError, RunError
from evolora_mesa.host.factors import FusedAdapters, fuse
from evolora_mesa.host.sites import Site
from evolora_mesa.memory import GIB, free_memory
from evolora_mesa.refill import refill_rows, rows_of

__all__ = ["BARE", "AdapterBank"]

_KEPT: Final = 4  # times a bank's memory: itself, and what learning keeps of it, two moments and the best weights
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

    Raises:
        AdapterError: no site, no slot, no rank, or more than the memory of the device holds.

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
        for name, value in (("capacity", capacity), ("max_rank", max_rank)):
            if value < 1:
                raise AdapterError("adapter bank of no size", where=name, expected="at least 1", got=value)
        self.sites = tuple(sites)
        _check_memory(self.sites, capacity, max_rank, torch.device(device), dtype)
        self.capacity, self.max_rank, self.scaling = capacity, max_rank, scaling
        self.a = {s.name: torch.zeros(capacity, max_rank, s.d_in, device=device, dtype=dtype) for s in sites}
        self.b = {s.name: torch.zeros(capacity, s.d_out, max_rank, device=device, dtype=dtype) for s in sites}
        self.ranks = torch.zeros(capacity, len(self.sites), dtype=torch.long)
        self._used = torch.zeros(capacity, dtype=torch.bool)
        self._used[BARE] = True

    @property
    def device(self) -> torch.device:
        return self.a[self.sites[0].name].device

    @property
    def dtype(self) -> torch.dtype:
        return self.a[self.sites[0].name].dtype

    def used_slots(self) -> list[int]:
        """Allocated slots in ascending order, without the bare host's."""
        return self._used.nonzero().flatten().tolist()[1:]

    # ------------------------------------------------------------------ slots

    def allocate(self, count: int, rank: int, generator: torch.Generator, *, norm: float = 0.0) -> torch.Tensor:
        """Take ``count`` free slots for fresh adapters: A normal with variance 1/d_in, B zero, so ΔW = 0.

        Args:
            norm: Frobenius norm of ΔW per site; above 0, B is drawn at random too.

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
        if norm > 0:
            for place, site in enumerate(self.sites):
                noise = torch.randn(count, site.d_out, rank, generator=generator)
                self.b[site.name][slots, :, :rank] = noise.to(self.b[site.name])
                size = self.norms(slots)[:, place, None, None].clamp(min=1e-12)
                self.b[site.name][slots] *= (norm / size).to(self.b[site.name])
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
        sources, targets = torch.as_tensor(sources, dtype=torch.long), self._owned(targets)
        self.require(sources)
        for site in self.sites:
            self.a[site.name][targets] = self.a[site.name][sources]
            self.b[site.name][targets] = self.b[site.name][sources]
        self.ranks[targets] = self.ranks[sources]

    def _owned(self, slots: torch.Tensor | Sequence[int]) -> torch.Tensor:
        slots = torch.as_tensor(slots, dtype=torch.long)
        self.require(slots, bare=False)
        return slots

    def require(self, slots: torch.Tensor, *, bare: bool = True) -> None:
        """Check that all ``slots`` are allocated, or `BARE` where ``bare``.

        Raises:
            AdapterError: another one is among them.
        """
        outside = (slots < (BARE if bare else BARE + 1)) | (slots >= self.capacity)
        if bool(outside.any()) or not bool(self._used[slots].all()):
            raise AdapterError("slot is not allocated", expected="allocated slots", got=slots.tolist())

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

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """The allocated slots; all others are zero."""
        slots = self._used.nonzero().flatten()[1:]
        return {
            "slots": slots,
            "ranks": self.ranks[slots],
            "a": {name: rows_of(stack, slots) for name, stack in self.a.items()},
            "b": {name: rows_of(stack, slots) for name, stack in self.b.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`, exact.

        Raises:
            RunError: it is of a bank of another shape.
        """
        slots = state["slots"]
        if slots.dtype != torch.long or slots.dim() != 1 or not _ascend(slots, self.capacity):
            raise RunError("a saved state does not fit this world", where="slots of adapters", got=slots.tolist())
        self._used.zero_()
        self._used[BARE] = True
        self._used[slots] = True
        refill_rows(self.ranks, slots, state["ranks"], "ranks of adapters")
        for factor, stacks in (("a", self.a), ("b", self.b)):
            for name, stack in stacks.items():
                refill_rows(stack, slots, state[factor][name], f"adapters, {factor} of {name}")


def _ascend(slots: torch.Tensor, capacity: int) -> bool:
    """Whether these are slots of organelles, each once, in order."""
    edges = torch.tensor([BARE]), torch.tensor([capacity])
    return bool((torch.cat([edges[0], slots, edges[1]]).diff() > 0).all())


def _check_memory(
    sites: Sequence[Site], capacity: int, max_rank: int, device: torch.device, dtype: torch.dtype
) -> None:
    """Refuse what cannot be held: memory that is only promised ends the process later, without a word."""
    if device.type not in ("cpu", "cuda"):
        return
    free = free_memory() if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]
    needed = _KEPT * capacity * max_rank * sum(site.d_in + site.d_out for site in sites) * dtype.itemsize
    if free is not None and needed > free:
        raise AdapterError(
            "adapters need more memory than there is",
            where="population.maximum, adapter.sites",
            expected=f"at most {free / GIB:.3g} GiB",
            got=f"{needed / GIB:.3g} GiB for {capacity - 1} organelles of rank {max_rank}",
            do="Lower population.maximum or adapter.max_rank, or name fewer sites.",
        )


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
