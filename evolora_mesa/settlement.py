"""Settling a generation: cells pay for answers, organelles pay for living, and everybody sees how the cells do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from evolora_mesa.economy import settle_claims
from evolora_mesa.organelle import Organelle
from evolora_mesa.workload import Grades, JointRows, Workload

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["charge", "observe", "pay"]

_ACCURACY_MEMORY: Final = 0.9
_ROUNDING: Final = 1e-6  # energy: one quantum of the ledger
_FAST, _SLOW = 0.3, 0.05  # rates of the averages whose gap is a cell's learning progress


def pay(
    model: EcologyModel, workload: Workload, grades: Grades, organelles: Sequence[Organelle], joint: JointRows
) -> tuple[np.ndarray, np.ndarray]:
    """Every answer claims its cell's price times its reward; a crowded pool pays all its claims pro rata.

    Returns:
        ``[rows]`` and ``[claims]`` energy paid for everybody's own answers, and for joint ones.
    """
    price, rows = model.grid.layer("price").ravel(), len(workload.cells)
    own = grades.rewards.copy()
    own[joint.rows] = 0.0
    cells = np.concatenate([workload.cells, joint.cells])
    claims = price[cells] * np.concatenate([own, joint.rewards])
    paid = settle_claims(model.ledger.balance(model.cell_accounts), cells, claims)
    accounts = np.array([organelle.account for organelle in organelles])
    earners = np.concatenate([accounts[workload.owners], joint.accounts])
    model.ledger.transfer(model.cell_accounts[cells], earners, paid, "reward")
    earned = np.bincount(workload.owners, paid[:rows], minlength=len(organelles))
    answered = np.bincount(workload.owners, minlength=len(organelles))
    succeeded = np.bincount(workload.owners, grades.success, minlength=len(organelles))
    for place, organelle in enumerate(organelles):
        organelle.earned = float(earned[place])
        organelle.answered, organelle.succeeded = int(answered[place]), int(succeeded[place])
    claimed_by_cell = np.bincount(cells, claims, minlength=price.size)
    paid_by_cell = np.bincount(cells, paid, minlength=price.size)
    share = np.divide(paid_by_cell, claimed_by_cell, out=np.ones(price.size), where=claimed_by_cell > 0)
    model.payout += 0.5 * (share.reshape(model.payout.shape) - model.payout)
    return paid[:rows], paid[rows:]


def charge(model: EcologyModel, workload: Workload, organelles: Sequence[Organelle], joint: JointRows) -> None:
    """The ticket first, then tokens and adapter size, as far as each can pay; tokens of joint work are not theirs."""
    accounts = np.array([organelle.account for organelle in organelles])
    slots = torch.tensor([organelle.slot for organelle in organelles])
    tickets = np.full(len(organelles), model.tariff.ticket)
    own = np.ones(len(workload.owners), dtype=np.int64)
    own[joint.rows] = 0
    bills = model.tariff.bill(
        own * workload.prompt_tokens,
        own * workload.generated_tokens,
        model.bank.parameter_counts(slots).numpy(),
        workload.owners,
    )
    paid_tickets = model.ledger.transfer(accounts, model.soil, tickets, "ticket", up_to=True)
    paid_bills = model.ledger.transfer(accounts, model.soil, bills, "living", up_to=True)
    short = paid_tickets < tickets - _ROUNDING
    for organelle, spent, unpaid in zip(organelles, (paid_tickets + paid_bills).tolist(), short.tolist(), strict=True):
        organelle.spent = spent + model.tally.fees[organelle.unique_id]
        organelle.unpaid_tickets = organelle.unpaid_tickets + 1 if unpaid else 0


def observe(model: EcologyModel, workload: Workload, grades: Grades) -> None:
    """Public knowledge: success, learning progress and token cost of every cell that was worked in."""
    tally, rows = model.tally, len(workload.tasks)
    tally.episodes, tally.succeeded = rows, int(grades.success.sum())
    tally.reward = float(grades.rewards.sum())
    tally.prompt_tokens = int(workload.prompt_tokens.sum())
    tally.generated_tokens = int(workload.generated_tokens.sum())
    shape = model.payout.shape
    model.grid.layer("pool")[:] = model.ledger.balance(model.cell_accounts).reshape(shape)
    if not rows:
        return
    rate = tally.succeeded / rows
    model.accuracy = rate if np.isnan(model.accuracy) else rate + _ACCURACY_MEMORY * (model.accuracy - rate)
    count = np.bincount(workload.cells, minlength=model.payout.size).reshape(shape)
    worked = count > 0

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(workload.cells, values, minlength=count.size).reshape(shape) / np.maximum(count, 1)

    success_here = mean(grades.success)
    success = model.grid.layer("success")
    for average, speed in (
        (success, model.config.economy.success_memory),
        (model.fast, _FAST),
        (model.slow, _SLOW),
    ):
        known = np.where(np.isnan(average), success_here, average)
        average[worked] = (known + speed * (success_here - known))[worked]
    model.grid.layer("learning_progress")[:] = np.nan_to_num(np.abs(model.fast - model.slow))
    cost = model.tariff.prompt_token * workload.prompt_tokens + model.tariff.generated_token * workload.generated_tokens
    model.episode_cost = np.where(worked, mean(cost), model.episode_cost)
