"""Adapters in compute form: stacked, fused by shared input, bound to tiles of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from evolora_mesa.host.sites import HEAD_LAYER, Site

__all__ = ["BoundAdapters", "FusedAdapters", "fuse"]

Key = tuple[int, str]  # (layer, group)
Capture = Callable[[Key, torch.Tensor, torch.Tensor], None]


class BoundAdapters:
    """Adapters laid over a batch: the rows are ``tiles`` equal runs, each run owned by one adapter.

    Args:
        factors: by (layer, group), ``down [tiles, d_in, rank]`` and ``up [tiles, rank, d_out]``.
        capture: called with (layer, group), the input ``[rows, d_in]`` and the output ``[rows, d_out]`` of every
            adapted product; the tensors are live references, not copies.
        wants_output: the capture needs the output apart from the residual stream.
    """

    __slots__ = ("_capture", "_factors", "wants_output")

    def __init__(
        self,
        factors: Mapping[Key, tuple[torch.Tensor, torch.Tensor]],
        capture: Capture | None = None,
        wants_output: bool = False,
    ) -> None:
        self._factors, self._capture, self.wants_output = factors, capture, wants_output

    def has(self, layer: int, group: str) -> bool:
        """Whether anything is adapted there."""
        return (layer, group) in self._factors

    def add(self, layer: int, group: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """``y + up(down(x))`` for rows ``x [rows, d_in]`` and ``y [rows, d_out]``; ``y`` is changed in place unless
        gradients are being recorded."""
        down, up = self._factors[layer, group]
        tiles = down.shape[0]
        inner = torch.bmm(x.view(tiles, -1, x.shape[-1]), down)
        tiled = y.view(tiles, -1, y.shape[-1])
        out = torch.baddbmm(tiled, inner, up) if torch.is_grad_enabled() else tiled.baddbmm_(inner, up)
        out = out.view(y.shape)
        if self._capture is not None:
            self._capture((layer, group), x, out)
        return out


class FusedAdapters:
    """A stack of adapters whose sites with one input are fused into one pair of factors.

    Args:
        factors: by (layer, group), ``down [adapters, d_in, rank]`` and ``up [adapters, rank, group width]``.
    """

    def __init__(self, factors: dict[Key, tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.factors = factors

    def leaves_prompt_alone(self, layers: int) -> bool:
        """Whether keys and values of a prompt are the same for every adapter of a host with ``layers`` layers."""
        return all(layer == HEAD_LAYER or (layer == layers - 1 and group != "qkv") for layer, group in self.factors)

    def bind(self, owners: torch.Tensor, capture: Capture | None = None, wants_output: bool = False) -> BoundAdapters:
        """Lay the adapters ``owners [tiles]`` over a batch of equal tiles."""
        adapters = next(iter(self.factors.values()))[0].shape[0]
        if torch.equal(owners, torch.arange(adapters, device=owners.device)):
            chosen = self.factors  # every adapter owns one tile: nothing to copy
        else:
            # `index_select` takes 0.4 times as long as indexing.
            chosen = {
                key: (down.index_select(0, owners), up.index_select(0, owners))
                for key, (down, up) in self.factors.items()
            }
        return BoundAdapters(chosen, capture, wants_output)


def fuse(
    sites: Sequence[Site], factors: Mapping[str, tuple[torch.Tensor, torch.Tensor]], scaling: float
) -> FusedAdapters:
    """Fuse ``A [adapters, rank, d_in]`` and ``B [adapters, d_out, rank]`` per site. Differentiable.

    Inside a group the A's stand side by side and the B's become blocks at their own output columns.
    """
    groups: dict[Key, list[Site]] = {}
    for site in sites:
        groups.setdefault((site.layer, site.group), []).append(site)
    fused: dict[Key, tuple[torch.Tensor, torch.Tensor]] = {}
    for key, members in groups.items():
        a, b = zip(*(factors[site.name] for site in members), strict=True)
        down = torch.cat(a, 1).transpose(1, 2).contiguous()
        up = b[0].new_zeros(down.shape[0], down.shape[2], members[0].group_width)
        first = 0
        for site, block in zip(members, b, strict=True):
            end = first + block.shape[2]
            up[:, first:end, site.offset : site.offset + site.d_out] = block.transpose(1, 2) * scaling
            first = end
        fused[key] = (down, up)
    return FusedAdapters(fused)
