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
# Numbers in one surprise matrix [tokens, vocab]: 32 MiB, all tokens of petri, a few dozen of a large host.
_SURPRISE_NUMBERS = 8 * 2**20
_FEWEST_TOKENS = 64


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
        # The lean host's distributions are formed again from the residual stream, a few tokens at a time.
        self.wants_probabilities = self._host is None

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        return slots

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        trace = experience.answers.trace
        assert trace is not None  # needs_trace
        slots, owners, counts = torch.unique(experience.slots, return_inverse=True, return_counts=True)
        rows = trace.rows.cpu()
        owner = owners[rows].to(bank.device)
        weight = (experience.advantages / counts[owners])[rows].to(bank.device)
        vocab = (
            bank.sites[-1].d_out if self._host is None else self._host.head.shape[0]
        )  # without a host, the head is the site
        at_once = max(_FEWEST_TOKENS, _SURPRISE_NUMBERS // vocab)
        total = Gradients(slots, {}, {})
        for part in torch.argsort(owner, stable=True).split(at_once):
            self._add(total, bank, trace.take(part), owner[part], weight[part], experience.temperature)
        return total

    def _add(
        self,
        total: Gradients,
        bank: AdapterBank,
        trace: FlatTrace,
        owner: torch.Tensor,
        weight: torch.Tensor,
        temperature: float,
    ) -> None:
        """Add what the tokens of ``trace`` say to ``total``; ``owner [tokens]`` numbers ``total.slots``."""
        slots = total.slots
        blocks = OwnerBlocks(owner, len(slots))
        block_slots = slots[blocks.owners.cpu()]
        probabilities = trace.probabilities
        if probabilities is None:
            probabilities = self._probabilities(bank, blocks, slots, trace.residual, temperature)
        surprise = _surprise(trace.tokens, probabilities, weight, temperature)
        from_head = self._through_head(bank, blocks, block_slots, surprise)
        for site in bank.sites:
            key = (site.layer, site.group)
            if site.group == "head":
                post = blocks.lay(surprise)
            else:
                post = blocks.lay(self._to_residual(trace, from_head, site.layer, site.group))
            pre = blocks.lay(trace.inputs[key].float())
            inner = torch.bmm(pre, bank.a[site.name][block_slots].float().transpose(1, 2))  # [blocks, block, rank]
            back = torch.bmm(post, bank.b[site.name][block_slots].float())  # [blocks, block, rank]
            for found, change in (
                (total.b, blocks.outer_sum(post, inner)),
                (total.a, blocks.outer_sum(back, pre)),
            ):
                change = change * bank.scaling
                found[site.name] = change if site.name not in found else found[site.name] + change

    def _probabilities(
        self, bank: AdapterBank, blocks: OwnerBlocks, slots: torch.Tensor, residual: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """The distributions ``[tokens, vocab]`` that the tokens were drawn from, formed again."""
        assert self._host is not None  # other hosts keep them in the trace
        laid = blocks.lay(residual)
        bound = bank.fused(slots).bind(blocks.owners)
        logits = self._host.logits(laid.flatten(0, 1), bound).view(*laid.shape[:2], -1)
        return (blocks.gather(logits).float() / temperature).softmax(-1)

    def _through_head(
        self, bank: AdapterBank, blocks: OwnerBlocks, block_slots: torch.Tensor, surprise: torch.Tensor
    ) -> torch.Tensor | None:
        """Surprise at the final norm's output, ``[tokens, hidden]``: through the unembedding and the head's adapter."""
        if self._host is None:
            return None
        signal = surprise @ self._host.head.float()
        if "lm_head" in bank.a:
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


def _surprise(
    tokens: torch.Tensor, probabilities: torch.Tensor, weight: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Advantage times (one-hot − p), ``[tokens, vocab]``: the gradient of the log-probability of the chosen token."""
    surprise = probabilities * -weight.unsqueeze(1)
    surprise.scatter_add_(1, tokens.unsqueeze(1), weight.unsqueeze(1))
    return surprise / temperature if temperature != 1.0 else surprise


def _norm_backward(signal: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Transposed Jacobian of `rms_norm` at ``x [tokens, hidden]`` applied to ``signal``."""
    x = x.float()
    inverse = torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)
    unit = x * inverse
    scaled = signal * weight.float()
    return inverse * (scaled - unit * (unit * scaled).mean(-1, keepdim=True))
