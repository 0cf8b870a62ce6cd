"""Skill factors: an organelle scales the singular values of its adapter to what it is just working on.

With ΔW = U diag(s) V at a site, what it wears is U diag(z·s) V: one factor z per singular value, r numbers per module.
Factors move along the few-shot gradient of the batch that was just answered, and relax to 1 when that does not hold
them; what is worn is always the adapter in the bank, so that everything that asks an organelle asks what it is now.
Scaling singular values: Q. Sun, E. Cetin, Y. Tang, "Transformer-Squared: self-adaptive LLMs" (2025). Fast weights that
relax: G. Hinton, D. Plaut, "Using fast weights to deblur old memories" (1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch

from evolora_mesa.config_society import SkillsConfig
from evolora_mesa.evolution.lowrank import decompose
from evolora_mesa.host import AdapterBank
from evolora_mesa.organelle import Organelle
from evolora_mesa.plasticity import Work
from evolora_mesa.plasticity.health import HealthReport
from evolora_mesa.plasticity.rule import Gradients
from evolora_mesa.refill import refill

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["SkillDirections", "Skills", "skill_directions"]

_NOBODY: Final = -1
_SILENT: Final = 1e-5  # of the largest singular value: directions below it are noise
_ROUNDING: Final = 1e-6  # energy: one quantum of the ledger


class SkillDirections(NamedTuple):
    """The singular directions of n adapters at a site, by what the factor B has to change for them.

    Attributes:
        left: ``[n, d_out, r]`` columns of U.
        values: ``[n, r]`` singular values of B @ A, descending; 0 where there is only noise.
        inner: ``[n, r, r]`` rows are V·A⁺, so that ``left * values @ inner`` is B on the row space of A.
    """

    left: torch.Tensor
    values: torch.Tensor
    inner: torch.Tensor

    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """``[n, r]`` what the reward gains per unit of every log factor, for its gradient at B ``[n, d_out, r]``."""
        return self.values * ((self.left.transpose(1, 2) @ gradient) * self.inner).sum(2)

    def scaled(self, b: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
        """B ``[n, d_out, r]`` with the singular values times ``ratio [n, r]``; where all are 1, B to the last bit."""
        return b + (self.left * (self.values * (ratio - 1.0))[:, None, :]) @ self.inner


def skill_directions(a: torch.Tensor, b: torch.Tensor) -> SkillDirections:
    """Of ``A [n, r, d_in]`` and ``B [n, d_out, r]``; rows of A and columns of B that are not used are zero."""
    spectrum = decompose(a, b)
    values = spectrum.values * (spectrum.values > _SILENT * spectrum.values[:, :1])
    wide = a.double()  # A⁺ = Aᵀ(AAᵀ)⁺ squares the condition number
    inverse = torch.linalg.pinv(wide @ wide.transpose(1, 2), hermitian=True)
    inner = spectrum.right.double() @ wide.transpose(1, 2) @ inverse
    return SkillDirections(spectrum.left, values, inner.float())


class Skills:
    """The factors of every bank slot.

    Args:
        settings: of skill factors.
        bank: whose adapters wear them.

    Attributes:
        factors: ``[capacity, sites, max_rank]`` log z in the order of the worn singular values; 0 reproduces the
            adapter.
    """

    def __init__(self, settings: SkillsConfig, bank: AdapterBank) -> None:
        self.settings, self._bank = settings, bank
        self.factors = torch.zeros(bank.capacity, len(bank.sites), bank.max_rank)
        self._owner = np.full(bank.capacity, _NOBODY)

    def learn(self, model: EcologyModel, work: Work) -> HealthReport:
        """One update of everyone who worked, of the factors and, as without them, of the adapters."""
        if not self.settings.enabled:
            return model.learner.learn(work)
        organelles = model.organelles()
        self._welcome(model, organelles)
        report = model.learner.learn(work, lambda gradients: self._adapt(model, organelles, work, gradients))
        self.factors[report.quarantined + report.rolled_back] = 0.0  # these wear earlier weights
        return report

    # ------------------------------------------------------------------ inheritance

    def _welcome(self, model: EcologyModel, organelles: Sequence[Organelle]) -> None:
        """Slots that changed hands get the mean of the log factors of the parents that are still known.

        A child is bred from what its parents wear, so its factors say what part of that is not innate. An elite's
        weights are innate as they were kept.
        """
        held = {owner: slot for slot, owner in enumerate(self._owner.tolist()) if owner != _NOBODY}
        before = self.factors.clone()
        for organelle in organelles:
            if self._owner[organelle.slot] == organelle.unique_id:
                continue
            known = [held[parent] for parent in organelle.parents if parent in held]
            innate = not known or model.phylogeny[organelle.unique_id].operator == "elite"
            self.factors[organelle.slot] = 0.0 if innate else before[known].mean(0)
            self._owner[organelle.slot] = organelle.unique_id

    # ------------------------------------------------------------------ adaptation

    def _adapt(self, model: EcologyModel, organelles: Sequence[Organelle], work: Work, gradients: Gradients) -> None:
        """Let the factors of all who worked relax, and of those who can pay for it follow the ``gradients``."""
        slots, bank, settings = gradients.slots, self._bank, self.settings
        paying = self._charge(model, organelles, slots, work)
        sites = [
            skill_directions(bank.a[site.name][slots].float(), bank.b[site.name][slots].float()) for site in bank.sites
        ]
        values = torch.stack([directions.values for directions in sites], 1)  # [slots, sites, r]
        pull = torch.stack(
            [
                directions.pull(gradients.b[site.name].float()) if site.name in gradients.b else directions.values * 0.0
                for site, directions in zip(bank.sites, sites, strict=True)
            ],
            1,
        )
        pull *= torch.from_numpy(paying).to(pull)[:, None, None]
        pull /= pull.flatten(1).norm(dim=1).clamp(min=1.0)[:, None, None]
        heard = values > 0
        before = self.factors[slots].to(values) * heard
        after = (settings.memory * before + settings.rate * pull).clamp(-settings.spread, settings.spread) * heard
        ratio = (after - before).exp()
        for place, (site, directions) in enumerate(zip(bank.sites, sites, strict=True)):
            b = bank.b[site.name]
            b[slots] = directions.scaled(b[slots].float(), ratio[:, place]).to(b)
        order = (values * ratio).argsort(dim=2, descending=True, stable=True)
        self.factors[slots] = after.gather(2, order).cpu()
        strength = round(float(after.abs().amax(2).mean()), 6)
        model.events.append(("adapted", None, {"organelles": int(paying.sum()), "strength": strength}))

    def _charge(
        self, model: EcologyModel, organelles: Sequence[Organelle], slots: torch.Tensor, work: Work
    ) -> np.ndarray:
        """``[slots]`` bool: who has paid for every example that it adapts to; nobody pays for a part of them."""
        examples = torch.bincount(work.slots, minlength=self._bank.capacity)[slots].numpy()
        owners = {organelle.slot: organelle for organelle in organelles}
        own = [owners[slot] for slot in slots.tolist()]
        due = self.settings.price * examples
        paying = np.array([organelle.energy for organelle in own]) + _ROUNDING >= due
        accounts = np.array([organelle.account for organelle in own])
        paid = model.ledger.transfer(accounts, model.soil, np.where(paying, due, 0.0), "skills", up_to=True)
        for organelle, price in zip(own, paid.tolist(), strict=True):
            organelle.spent += price
        return paying

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Copies of the factors, and whose they are."""
        return {"factors": self.factors.clone(), "owner": self._owner.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        refill(self.factors, state["factors"], "skills, factors")
        refill(self._owner, state["owner"], "skills, owner")
