"""The default rule: a local three-factor rule with an eligibility trace.

The three factors are what entered a layer (pre), how surprising the chosen token was (one-hot − p, broadcast back
through the unembedding), and the reward's advantage, one number per answer that arrives at the end. No gradient flows
through the host. W. Gerstner et al., "Eligibility traces and plasticity on behavioral time scales" (2018).

On the output layer this is exactly the REINFORCE gradient (R. J. Williams, 1992). At the last layer's down projection
it is too, because only the final norm and the unembedding stand between; at earlier layers that write to the residual
stream the direct path alone is credited (cosine with the true gradient .3 to .65, measured).
"""

from __future__ import annotations

import torch

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import AdapterBank, FlatTrace
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.service import Host
from evolora_mesa.plasticity.blocks import OwnerBlocks
from evolora_mesa.plasticity.rule import Experience, Gradients

__all__ = ["ThreeFactor"]

_TO_RESIDUAL = ("o", "down")


class ThreeFactor:
    """Reward-modulated local learning at sites that write to the residual stream, and at the head.

    Args:
        host: whose unembedding and norms carry the surprise back.
        bank: whose sites are to learn.

    Raises:
        ConfigError: a site that the broadcast surprise does not reach.
    """

    needs_trace = True

    def __init__(self, host: Host, bank: AdapterBank) -> None:
        for site in bank.sites:
            reached = site.group == "head" or (site.group in _TO_RESIDUAL and isinstance(host, LeanHost))
            if not reached:
                raise ConfigError(
                    "three_factor cannot learn at this site",
                    where="adapter.sites",
                    expected="o_proj, down_proj or lm_head" if isinstance(host, LeanHost) else "lm_head on this host",
                    got=site.name,
                    do="Set plasticity.rule to reinforce or change the sites.",
                )
        self._host = host if isinstance(host, LeanHost) else None
        self.wants_output = any(self._norm_behind(site.layer, site.group) is not None for site in bank.sites)

    def scratch_slots(self, organelles: int) -> int:
        return 0

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        return slots

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        trace = experience.answers.trace
        assert trace is not None  # needs_trace
        slots, owners, counts = torch.unique(experience.slots, return_inverse=True, return_counts=True)
        token_owner = owners[trace.rows.cpu()].to(bank.device)
        weight = (experience.advantages / counts[owners])[trace.rows.cpu()].to(bank.device)
        blocks = OwnerBlocks(token_owner, len(slots))
        surprise = _surprise(trace, weight, experience.temperature)
        from_head = self._through_head(bank, blocks, slots, surprise)
        a: dict[str, torch.Tensor] = {}
        b: dict[str, torch.Tensor] = {}
        for site in bank.sites:
            key = (site.layer, site.group)
            if site.group == "head":
                post = blocks.lay(surprise)
            else:
                post = blocks.lay(self._to_residual(trace, from_head, site.layer, site.group))
            pre = blocks.lay(trace.inputs[key].float())
            block_slots = slots[blocks.owners.cpu()]
            inner = torch.bmm(pre, bank.a[site.name][block_slots].float().transpose(1, 2))  # [blocks, block, rank]
            back = torch.bmm(post, bank.b[site.name][block_slots].float())  # [blocks, block, rank]
            b[site.name] = blocks.outer_sum(post, inner) * bank.scaling
            a[site.name] = blocks.outer_sum(back, pre) * bank.scaling
        return Gradients(slots, a, b)

    def _through_head(
        self, bank: AdapterBank, blocks: OwnerBlocks, slots: torch.Tensor, surprise: torch.Tensor
    ) -> torch.Tensor | None:
        """Surprise at the final norm's output, ``[tokens, hidden]``: through the unembedding and the head's adapter."""
        if self._host is None:
            return None
        signal = surprise @ self._host.head.float()
        if "lm_head" in bank.a:
            block_slots = slots[blocks.owners.cpu()]
            inner = torch.bmm(blocks.lay(surprise), bank.b["lm_head"][block_slots].float())
            laid = torch.bmm(inner, bank.a["lm_head"][block_slots].float()) * bank.scaling
            signal = signal + blocks.gather(laid)
        return signal

    def _to_residual(self, trace: FlatTrace, from_head: torch.Tensor | None, layer: int, group: str) -> torch.Tensor:
        """Surprise at a site's output, ``[tokens, hidden]``: back through the final norm, and one behind the site."""
        assert self._host is not None and from_head is not None  # other hosts have no such sites
        epsilon = self._host.arch.norm_epsilon
        signal = _norm_backward(from_head, trace.residual, self._host.final_norm, epsilon)
        behind = self._norm_behind(layer, group)
        if behind is None:
            return signal
        return _norm_backward(signal, trace.outputs[layer, group], behind, epsilon)

    def _norm_behind(self, layer: int, group: str) -> torch.Tensor | None:
        """The norm between a site and the residual stream; Gemma has one behind attention and one behind the MLP."""
        if group == "head" or self._host is None:
            return None
        found = self._host.layers[layer]
        return found.after_attention if group == "o" else found.after_mlp


def _surprise(trace: FlatTrace, weight: torch.Tensor, temperature: float) -> torch.Tensor:
    """Advantage times (one-hot − p), ``[tokens, vocab]``: the gradient of the log-probability of the chosen token."""
    surprise = trace.probabilities * -weight.unsqueeze(1)
    surprise.scatter_add_(1, trace.tokens.unsqueeze(1), weight.unsqueeze(1))
    return surprise / temperature if temperature != 1.0 else surprise


def _norm_backward(signal: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Transposed Jacobian of `rms_norm` at ``x [tokens, hidden]`` applied to ``signal``."""
    x = x.float()
    inverse = torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)
    unit = x * inverse
    scaled = signal * weight.float()
    return inverse * (scaled - unit * (unit * scaled).mean(-1, keepdim=True))
