"""What life costs: tokens and adapter size, never wall-clock time, so a run costs the same on any machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evolora_mesa.errors import LedgerError

__all__ = ["Tariff"]


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """Prices in energy, each >= 0.

    Args:
        ticket: one generation of life. It is charged apart from the bill, because tickets left unpaid are
            what leads to bankruptcy.
        prompt_token: one token of a prompt.
        generated_token: one token of an answer.
        adapter_kiloparameter: one thousand adapter parameters for one generation.
    """

    ticket: float
    prompt_token: float
    generated_token: float
    adapter_kiloparameter: float

    def bill(
        self,
        prompt_tokens: ArrayLike,
        generated_tokens: ArrayLike,
        adapter_parameters: ArrayLike,
        organelle: ArrayLike,
    ) -> NDArray[np.float64]:
        """Energy that each organelle owes for one generation, without the ticket.

        Token counts are summed as whole numbers before they are priced, so the order of the rows cannot
        change the bill, not even in the last bit.

        Args:
            prompt_tokens: tokens of each row's prompt, ``(n,)``, whole numbers >= 0.
            generated_tokens: tokens of each row's answer, ``(n,)``, whole numbers >= 0.
            adapter_parameters: size of each organelle's adapter, ``(n_organelles,)``, >= 0.
            organelle: position in ``adapter_parameters`` of each row's owner, ``(n,)``.

        Returns:
            Energies ``(n_organelles,)``; an organelle without rows pays for its adapter alone.

        Raises:
            LedgerError: a row's owner has no adapter size, or the rows differ in length.
        """
        size = np.asarray(adapter_parameters, dtype=np.float64)
        owner = np.asarray(organelle)
        prompt = np.asarray(prompt_tokens, dtype=np.float64)
        generated = np.asarray(generated_tokens, dtype=np.float64)
        if not owner.shape == prompt.shape == generated.shape:
            raise LedgerError(
                "a row of the bill is incomplete",
                expected="one owner and two token counts a row",
                got=[owner.shape, prompt.shape, generated.shape],
            )
        owner = owner.astype(np.int64)
        if owner.size and not (owner.min() >= 0 and owner.max() < len(size)):
            raise LedgerError(
                "no such organelle",
                expected=f"0 to {len(size) - 1}",
                got=[int(owner.min()), int(owner.max())],
            )
        return np.asarray(
            np.bincount(owner, weights=prompt, minlength=len(size)) * self.prompt_token
            + np.bincount(owner, weights=generated, minlength=len(size)) * self.generated_token
            + size * (self.adapter_kiloparameter / 1000)
        )
