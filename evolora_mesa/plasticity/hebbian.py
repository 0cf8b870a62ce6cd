"""The naive control: reward times pre times post, with no surprise term.

D. O. Hebb, "The Organization of Behavior" (1949). Because the post-synaptic activity does not say which way to change
it, the rule amplifies what a layer already does; it is shipped to show that it does not learn.
"""

from __future__ import annotations

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity.blocks import OwnerBlocks
from evolora_mesa.plasticity.rule import Experience, Gradients

__all__ = ["Hebbian"]


class Hebbian:
    """ΔB ∝ advantage · post ⊗ (A · pre) at every site; A stays as it is."""

    needs_trace = True
    wants_output = True
    wants_probabilities = False

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        return slots

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        trace = experience.answers.trace
        assert trace is not None  # needs_trace
        slots, owners, counts = torch.unique(experience.slots, return_inverse=True, return_counts=True)
        rows = trace.rows.cpu()
        weight = (experience.advantages / counts[owners])[rows].to(bank.device).unsqueeze(1)
        blocks = OwnerBlocks(owners[rows].to(bank.device), len(slots))
        block_slots = slots[blocks.owners.cpu()]
        b: dict[str, torch.Tensor] = {}
        for site in bank.sites:
            key = (site.layer, site.group)
            a = bank.a[site.name][block_slots].float()
            inner = torch.bmm(blocks.lay(trace.inputs[key].float()), a.transpose(1, 2))
            output = trace.outputs[key][:, site.offset : site.offset + site.d_out].float()
            b[site.name] = blocks.outer_sum(blocks.lay(output * weight), inner)
        return Gradients(slots, {}, b)
