"""What a local learning rule may see of a generation: activities before and behind each adapted layer, per token.

Only references are kept while decoding; the sums that a rule needs are formed once, when the rewards are known. That
costs a few per cent of the generation, against 16 to 54 % for a running sum per row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from evolora_mesa.host.factors import Key

__all__ = ["FlatTrace", "TokenTrace"]


@dataclass(frozen=True)
class FlatTrace:
    """One entry per generated token, end-of-answer tokens included.

    Attributes:
        rows: ``[tokens]`` the request each token belongs to.
        tokens: ``[tokens]`` chosen token.
        probabilities: ``[tokens, vocab]`` the distribution it was drawn from, or `None` when the trace was not asked to
            keep it: with a vocabulary of 150,000 it takes more memory than everything else together.
        residual: ``[tokens, hidden]`` residual stream before the final norm.
        inputs: by (layer, group), ``[tokens, d_in]`` input of the adapted product.
        outputs: by (layer, group), ``[tokens, group width]`` its output; empty unless asked for.
    """

    rows: torch.Tensor
    tokens: torch.Tensor
    probabilities: torch.Tensor | None
    residual: torch.Tensor
    inputs: dict[Key, torch.Tensor]
    outputs: dict[Key, torch.Tensor]

    def take(self, tokens: torch.Tensor) -> FlatTrace:
        """Only the entries numbered ``tokens``."""
        return FlatTrace(
            self.rows[tokens],
            self.tokens[tokens],
            None if self.probabilities is None else self.probabilities[tokens],
            self.residual[tokens],
            {key: x[tokens] for key, x in self.inputs.items()},
            {key: y[tokens] for key, y in self.outputs.items()},
        )


@dataclass
class TokenTrace:
    """Collects a generation step by step.

    Args:
        wants_output: keep the outputs of adapted products too (the Hebbian rule, and hosts with a norm behind them).
    """

    wants_output: bool = False
    wants_probabilities: bool = True
    _numbers: torch.Tensor | None = None
    _inputs: dict[Key, torch.Tensor] = field(default_factory=dict)
    _outputs: dict[Key, torch.Tensor] = field(default_factory=dict)
    _steps: list[FlatTrace] = field(default_factory=list)

    def begin(self, numbers: torch.Tensor) -> None:
        """Start a chunk of rows; ``numbers [rows]`` are the requests they answer."""
        self._numbers = numbers

    def capture(self, key: Key, x: torch.Tensor, y: torch.Tensor) -> None:
        """Called by every adapted product of a decoding step."""
        self._inputs[key] = x
        if self.wants_output:
            self._outputs[key] = y

    def commit(
        self,
        rows: torch.Tensor,
        valid: torch.Tensor,
        tokens: torch.Tensor,
        probabilities: torch.Tensor,
        residual: torch.Tensor,
    ) -> None:
        """End a step: ``rows [places]`` of the chunk stand there, ``valid [places]`` is False at finished ones."""
        pick = slice(None) if bool(valid.all()) else valid.nonzero().squeeze(1)
        rows = rows[pick] if self._numbers is None else self._numbers.to(rows.device)[rows[pick]]
        self._steps.append(
            FlatTrace(
                rows,
                tokens[pick],
                probabilities[pick] if self.wants_probabilities else None,
                residual[pick],
                {key: x[pick] for key, x in self._inputs.items()},
                {key: y[pick] for key, y in self._outputs.items()},
            )
        )
        self._inputs, self._outputs = {}, {}

    def flatten(self) -> FlatTrace:
        """All steps behind one another."""
        steps = self._steps
        return FlatTrace(
            torch.cat([step.rows for step in steps]),
            torch.cat([step.tokens for step in steps]),
            torch.cat([step.probabilities for step in steps if step.probabilities is not None])
            if self.wants_probabilities
            else None,
            torch.cat([step.residual for step in steps]),
            {key: torch.cat([step.inputs[key] for step in steps]) for key in steps[0].inputs},
            {key: torch.cat([step.outputs[key] for step in steps]) for key in steps[0].outputs},
        )
