"""Policies at work: everybody writes one now and then, pays for it, and lives by it until the next.

Nobody is taught to write policies. What an adapter makes of the prompt is inherited with it, so policies are selected
with their owners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from evolora_mesa.config_society import PolicyConfig
from evolora_mesa.host import Answers, Guide, Request
from evolora_mesa.organelle import Organelle
from evolora_mesa.refill import refill
from evolora_mesa.society.policy import (
    NEUTRAL,
    Bounds,
    Partner,
    Policy,
    named_cells,
    parse_policy,
    policy_chain,
    policy_prompt,
)

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Policies"]

_SHOWN: Final = 2  # cells that the prompt tells of
_NOBODY: Final = -1
_PARTNERS: Final = get_args(Partner)


class Policies:
    """The policy in force of every bank slot; the neutral one where none was written.

    Args:
        settings: of policies.
        capacity: bank slots.
        families: names, in the order of the grid.
        depths: of the grid.

    Attributes:
        preferred: ``[capacity, families, depths]`` bool: cells that it would rather work in.
        budget, reserve: ``[capacity]`` share of the energy beyond the reserve that episodes may cost, and the reserve.
        reads, posts: ``[capacity]`` bool: whether it reads and posts messages.
        partner: ``[capacity]`` place in `Partner` of the partner that it would rather have.
        counts: how many policies were ``asked``, ``genuine`` (read from what the host wrote freely), ``constrained``
            (the host could write nothing else) or ``failed``, and the ``tokens`` read and written for them.
    """

    def __init__(self, settings: PolicyConfig, capacity: int, families: Sequence[str], depths: int) -> None:
        self.settings = settings
        self.preferred = np.zeros((capacity, len(families), depths), dtype=bool)
        self.budget, self.reserve = np.ones(capacity), np.zeros(capacity)
        self.reads, self.posts = np.ones(capacity, dtype=bool), np.ones(capacity, dtype=bool)
        self.partner = np.zeros(capacity, dtype=np.int64)
        self.counts = dict.fromkeys(("asked", "genuine", "constrained", "failed", "tokens"), 0)
        self._owner = np.full(capacity, _NOBODY)
        self._cells = named_cells(families, depths)
        self._bounds = Bounds(list(self._cells), settings.least_budget, settings.most_reserve)
        self._guide: Guide | None = None

    # ------------------------------------------------------------------ writing

    def think(self, model: EcologyModel) -> None:
        """Newborns take over a parent's policy; in its turn everybody writes a new one, in one host call."""
        organelles = model.organelles()
        if not self.settings.enabled or not organelles:
            return
        self._inherit(organelles)
        if (model.tick - 1) % self.settings.every:
            return
        answers = self._ask(model, organelles)
        self._charge(model, organelles, answers)
        for organelle, text in zip(organelles, answers.texts, strict=True):
            policy = parse_policy(text, self._bounds)
            parsed = "failed" if policy is None else "constrained" if self.settings.constrained else "genuine"
            self.counts[parsed] += 1
            self._write(organelle.slot, policy or NEUTRAL)
            facts = (policy or NEUTRAL).model_dump()
            model.events.append(("policy", organelle.unique_id, {"parsed": parsed, **facts}))
        self.counts["asked"] += len(organelles)

    def _inherit(self, organelles: Sequence[Organelle]) -> None:
        """Slots that changed hands get the policy of their owner's first parent that still has one."""
        held = {owner: slot for slot, owner in enumerate(self._owner.tolist()) if owner != _NOBODY}
        before = [array.copy() for array in self._arrays().values()]
        for organelle in organelles:
            if self._owner[organelle.slot] == organelle.unique_id:
                continue
            teacher = next((held[parent] for parent in organelle.parents if parent in held), None)
            if teacher is None:
                self._write(organelle.slot, NEUTRAL)
            else:
                for array, old in zip(self._arrays().values(), before, strict=True):
                    array[organelle.slot] = old[teacher]
            self._owner[organelle.slot] = organelle.unique_id

    def _ask(self, model: EcologyModel, organelles: Sequence[Organelle]) -> Answers:
        settings = self.settings
        if settings.constrained and self._guide is None:
            self._guide = model.host.guide(policy_chain(self._bounds))
        first_key = model.streams.integer(f"policy.{model.tick}") >> 1
        prompts = self._prompts(model, organelles)
        return model.host.answer(
            [
                Request(organelle.slot, prompt, first_key + row, guided=settings.constrained)
                for row, (organelle, prompt) in enumerate(zip(organelles, prompts, strict=True))
            ],
            model.bank,
            temperature=model.config.host.temperature if settings.sampled else 0.0,
            max_new_tokens=self._guide.longest if self._guide is not None else settings.max_new_tokens,
            guide=self._guide,
        )

    def _prompts(self, model: EcologyModel, organelles: Sequence[Organelle]) -> list[str]:
        """What each sees: its energy, and the cells that it expects to be paid most in."""
        success = model.beliefs.success(np.array([organelle.slot for organelle in organelles]))
        income = (success * model.grid.layer("price") * model.payout).reshape(len(organelles), -1)
        best = np.argsort(-income, axis=1, kind="stable")[:, :_SHOWN]
        names = [f"{family}:{depth + 1}" for family in model.grid.families for depth in range(model.grid.depths)]
        return [
            policy_prompt(
                organelle.energy,
                [(names[cell], float(success[row].flat[cell])) for cell in best[row].tolist()],
                example=self.settings.example,
            )
            for row, organelle in enumerate(organelles)
        ]

    def _charge(self, model: EcologyModel, organelles: Sequence[Organelle], answers: Answers) -> None:
        """Whatever was written is paid for, as far as each can."""
        read = np.array([len(tokens) for tokens in answers.prompts])
        written = np.array([len(tokens) for tokens in answers.tokens])
        prices = model.tariff.prompt_token * read + model.tariff.generated_token * written
        accounts = np.array([organelle.account for organelle in organelles])
        paid = model.ledger.transfer(accounts, model.soil, prices, "policy", up_to=True)
        for organelle, price in zip(organelles, paid.tolist(), strict=True):
            model.tally.fees[organelle.unique_id] += price
        self.counts["tokens"] += int(read.sum() + written.sum())

    def _write(self, slot: int, policy: Policy) -> None:
        self.preferred[slot] = self._cells.get(policy.cell, False)
        self.budget[slot], self.reserve[slot] = policy.budget, policy.reserve
        self.reads[slot], self.posts[slot] = policy.reads, policy.posts
        self.partner[slot] = _PARTNERS.index(policy.partner)

    # ------------------------------------------------------------------ living by them

    def pull(self, slots: np.ndarray) -> np.ndarray:
        """``[slots, families, depths]`` energy that a cell is worth beyond its profit."""
        return self.settings.pull * self.preferred[slots]

    def within_budget(self, model: EcologyModel, organelles: Sequence[Organelle], cells: np.ndarray) -> np.ndarray:
        """Leave out the episodes that an organelle will not pay for; its first one it always works.

        Args:
            cells: ``[organelles, episodes]`` flat cell numbers.

        Returns:
            ``cells`` with -1 in place of what is left out.
        """
        if not self.settings.enabled or not organelles:
            return cells
        slots = np.array([organelle.slot for organelle in organelles])
        energy = np.array([organelle.energy for organelle in organelles])
        budget, reserve = self.budget[slots], self.reserve[slots]
        neutral = (budget == 1.0) & (reserve == 0.0)  # also the poor, who work on credit of their next reward
        purse = np.where(neutral, np.inf, budget * np.maximum(energy - reserve, 0.0))
        worked = np.cumsum(model.episode_cost.ravel()[cells], axis=1) <= purse[:, None]
        worked[:, :1] = True
        return np.where(worked, cells, -1)

    def liking(self, slot: int, home: int, homes: Sequence[int]) -> np.ndarray:
        """How much better each partner looks to ``slot``, as a share; by the main families of both."""
        near = np.asarray(homes) == home
        wanted = {"near": near, "far": ~near}.get(_PARTNERS[self.partner[slot]], np.zeros_like(near))
        return self.settings.taste * wanted

    # ------------------------------------------------------------------ state

    def _arrays(self) -> dict[str, np.ndarray]:
        names = ("preferred", "budget", "reserve", "reads", "posts", "partner")
        return {name: getattr(self, name) for name in names}

    def state_dict(self) -> dict[str, Any]:
        """Copies of all policies, their owners, and the counts."""
        arrays = {**self._arrays(), "owner": self._owner}
        return {**{name: array.copy() for name, array in arrays.items()}, "counts": dict(self.counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name, array in {**self._arrays(), "owner": self._owner}.items():
            refill(array, state[name], f"policies, {name}")
        self.counts = dict(state["counts"])
