"""Joint work, as colonies do it in a generation.

1. `put_to_work`: members answer joint tasks in place of as many of their own, in the generation's one host call. Each
   learns from its own answer, graded by its own correctness, as from any other.
2. `sit_down`: in the same call all colonies ask what the best member alone answers with as many tokens, what their
   auditions need, and probes.
3. `confer`: many answers become joint ones. Colonies that hand on take a second call.
4. `settle`: the cell has paid once for the joint answer, into the pot; the pot pays the tokens, and its members.

Without colonies nothing of this costs anything: no call, no draw, no account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from evolora_mesa.society.charter import announce, charge
from evolora_mesa.society.colonies import Shift
from evolora_mesa.society.colony import Colony, Counts, Lesson
from evolora_mesa.society.colony_gate import at_work, in_audition, slots_of
from evolora_mesa.society.funding import can_go_on, ceiling
from evolora_mesa.society.ladder import keep_lessons
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.society.sitting import Sitting
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.workload import Grades, JointRows, Workload

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["confer", "own_lessons", "put_to_work", "settle", "sit_down"]

_ROUNDING: Final = 1e-6  # energy: one quantum of the ledger
_RETAINED: Final = 2  # answers of a member in its other cells that are kept, per generation


def put_to_work(
    model: EcologyModel, owners: np.ndarray, cells: np.ndarray, tasks: list[Task], answered_by: torch.Tensor
) -> torch.Tensor:
    """Put joint tasks into the rows of a generation, in place.

    An ensemble's members all answer each of its tasks. One adapter answers alone, in rows that its members give up in
    turn; nobody learns from those.

    Args:
        owners: ``[rows]`` place of each owner among the organelles.
        cells: ``[rows]`` flat cell numbers.
        tasks: one per row.
        answered_by: ``[rows]`` bank slots.

    Returns:
        ``[rows]`` bank slots that answer instead.
    """
    colonies = model.colonies
    colonies.shifts = []
    if not colonies.founded:
        return answered_by
    answered_by = answered_by.clone()
    place_of = {organelle.unique_id: place for place, organelle in enumerate(model.organelles())}
    python = model.streams.python("tasks.colonies")
    for colony in colonies.founded:
        given_up = [
            np.flatnonzero(owners == place_of[member])[: colonies.settings.episodes] for member in colony.members
        ]
        if colony.rung == "ensemble":
            rows = np.stack([rows[: min(map(len, given_up))] for rows in given_up], 1)  # [tasks, members]
        else:
            assert colony.adapter is not None
            rows = _in_turn(given_up, model.tick)[: colonies.settings.episodes, None]
            answered_by[torch.from_numpy(rows.ravel())] = colony.adapter
        if not len(rows):
            continue
        for cell, row in zip(_chosen_cells(model, colony, len(rows)), rows, strict=True):
            task = model.draw_task(Pool.LIVE, cell, python)
            cells[row] = cell
            for place in row.tolist():
                tasks[place] = task
        colonies.shifts.append(Shift(colony, rows))
    return answered_by


def _in_turn(given_up: list[np.ndarray], turn: int) -> np.ndarray:
    """Rows of all members, one of each after another; who begins changes with the ``turn``."""
    first = turn % len(given_up)
    members = [*given_up[first:], *given_up[:first]]
    return np.array([row for rows in zip_longest(*members) for row in rows if row is not None], dtype=np.int64)


def _chosen_cells(model: EcologyModel, colony: Colony, count: int) -> list[int]:
    """Where a colony works: where the router sends it, and else in its own cells, in proportion to what its best member
    there would earn."""
    sent = model.router.joint.get(colony.number, [])[:count]
    income = (model.grid.layer("price") * model.payout).ravel()
    believed = model.beliefs.success(np.array(slots_of(model, colony.members)))
    profit = (believed.reshape(len(colony.members), -1).max(0) * income)[colony.cells] + _ROUNDING
    rng = model.streams.numpy("colonies")
    own = rng.choice(np.array(colony.cells), size=count - len(sent), p=profit / profit.sum())
    return [*sent, *own.tolist()]


def own_lessons(model: EcologyModel, workload: Workload, grades: Grades) -> tuple[Workload, Grades]:
    """What organelles learn from: all rows but those that a colony's adapter answered."""
    if all(shift.colony.rung == "ensemble" for shift in model.colonies.shifts):
        return workload, grades
    kept = np.flatnonzero((workload.answered_by == workload.slots).numpy())
    return workload.take(kept), grades.take(kept)


# ---------------------------------------------------------------- answering


def sit_down(model: EcologyModel, cells: np.ndarray, tasks: Sequence[Task], questions: Questions) -> None:
    """What colonies need beside their members' rows: their best members' further answers, auditions, probes.

    Args:
        cells: ``[rows]`` flat cell numbers of the generation's rows.
        tasks: one per row.
        questions: where they ask it.
    """
    colonies = model.colonies
    colonies.sittings, colonies.replies = [], Replies.none()
    if not colonies.settings.enabled:
        return
    for colony, rows in colonies.shifts:
        joint = [tasks[row] for row in rows[:, 0].tolist()]
        colonies.sittings.append(at_work(model, colony, joint, cells[rows[:, 0]]))
    colonies.sittings += [sitting for colony in colonies.living if (sitting := _audition(model, colony)) is not None]
    for sitting in colonies.sittings:
        sitting.ask(questions)
    colonies.probes.ask(model, colonies.free(model), questions)


def confer(model: EcologyModel, workload: Workload, grades: Grades) -> JointRows:
    """What colonies answer, and what their best members would have; what auditions and probes have shown."""
    colonies = model.colonies
    if not colonies.settings.enabled:
        return JointRows.none()
    colonies.probes.hear(model, colonies.replies)
    second = Questions()
    for sitting, shift in zip_longest(colonies.sittings, colonies.shifts):
        given = None if shift is None else _given(workload, shift.rows.T.ravel())
        sitting.hear(colonies.replies, given)
        sitting.ask_deciders(second, model)
    last = second.put(model, f"colonies.last.{model.tick}")
    for sitting in colonies.sittings:
        sitting.hear_deciders(last, model)
    for shift, sitting in zip(colonies.shifts, colonies.sittings, strict=False):
        _keep_lessons(model, shift, sitting, workload, grades)
    return _joint_rows(colonies.shifts, colonies.sittings)


def _given(workload: Workload, rows: np.ndarray) -> Replies:
    """Answers of the generation's own call."""
    answers = workload.answers
    return Replies(
        [answers.texts[row] for row in rows.tolist()],
        [answers.tokens[row] for row in rows.tolist()],
        answers.log_probability.numpy()[rows].astype(float),
        workload.prompt_tokens[rows],
        workload.generated_tokens[rows],
    )


def _audition(model: EcologyModel, colony: Colony) -> Sitting | None:
    """The next prompts of a colony's trial, if there is one and they can be paid for."""
    window = model.colonies.settings.window
    if colony.audition is None or not can_go_on(model, colony):
        return None
    rng, python = model.streams.numpy("colonies"), model.streams.python("tasks.colony_gate")
    cells = rng.choice(np.array(colony.cells), size=window)
    tasks = [model.draw_task(Pool.GATE, cell, python) for cell in cells.tolist()]
    return in_audition(model, colony, tasks, cells)


def _joint_rows(shifts: list[Shift], sittings: list[Sitting]) -> JointRows:
    """For the cells' books: which rows are colonies', and what they claim for the joint answers instead."""
    if not shifts:
        return JointRows.none()
    working = sittings[: len(shifts)]
    return JointRows(
        np.concatenate([shift.rows.ravel() for shift in shifts]),
        np.concatenate([sitting.cells for sitting in working]),
        np.concatenate([sitting.team.grades.rewards for sitting in working]),
        np.concatenate([np.full(len(sitting.tasks), sitting.colony.pot) for sitting in working]),
    )


def _keep_lessons(model: EcologyModel, shift: Shift, sitting: Sitting, workload: Workload, grades: Grades) -> None:
    """What the colony was paid for in full, and what its members were, elsewhere and on their own."""
    settings, colony, prompts = model.colonies.settings, shift.colony, workload.answers.prompts
    if not settings.ladder:
        return
    rows = shift.rows[:, 0].tolist()
    joint = zip(rows, sitting.team.written, sitting.team.grades.success.tolist(), strict=True)
    fresh = [Lesson(prompts[row], list(answer)) for row, answer, right in joint if right]
    keep_lessons(colony.lessons, fresh, settings.lessons)
    elsewhere = grades.success & ~np.isin(workload.cells, colony.cells)
    for slot in slots_of(model, colony.members):
        own = np.flatnonzero(elsewhere & (workload.slots.numpy() == slot))[:_RETAINED].tolist()
        fresh = [Lesson(prompts[row], list(workload.answers.tokens[row])) for row in own]
        keep_lessons(colony.retention, fresh, settings.lessons)


# ---------------------------------------------------------------- money and evidence


def settle(model: EcologyModel, workload: Workload, paid: np.ndarray) -> None:
    """Pots pay for tokens and messages, and out to members; what the answers show is weighed.

    Args:
        paid: ``[tasks]`` energy that the cells paid for the joint answers.
    """
    colonies, tariff, rebate = model.colonies, model.tariff, model.config.gate.price
    start = 0
    for place, sitting in enumerate(colonies.sittings):
        colony = sitting.colony
        price = tariff.prompt_token * sitting.read + tariff.generated_token * sitting.written
        messages = colonies.settings.message_token * sitting.message_tokens
        if sitting.audition is not None:
            sitting.audition.energy += charge(model, colony, rebate * price, "colony gate")
            sitting.audition.energy += charge(model, colony, messages, "message")
            _take_results(sitting)
            continue
        income = float(paid[start : start + len(sitting.tasks)].sum())
        start += len(sitting.tasks)
        rows = colonies.shifts[place].rows.ravel()
        read, written = workload.prompt_tokens[rows].sum(), workload.generated_tokens[rows].sum()
        charge(model, colony, float(tariff.prompt_token * read + tariff.generated_token * written), "joint work")
        charge(model, colony, messages, "message")
        charge(model, colony, rebate * price, "colony gate")
        _pay_members(model, colony, income)
        _weigh(model, sitting, income)


def _pay_members(model: EcologyModel, colony: Colony, income: float) -> None:
    """The members' part of the income, and what the pot holds above its ceiling, in equal parts."""
    balance = model.ledger.balance(colony.pot)
    due = max((1 - model.colonies.settings.share) * income, balance - ceiling(model, colony))
    part = min(due, balance) / len(colony.members)
    part = math.floor(part / _ROUNDING) * _ROUNDING  # so that rounding does not overdraw the pot
    for member in (o for o in model.organelles() if o.unique_id in colony.members):
        member.earned += model.ledger.transfer(colony.pot, member.account, part, "dividend")


def _take_results(sitting: Sitting) -> None:
    """What a trial's prompts have shown."""
    audition = sitting.audition
    assert audition is not None
    audition.counts.add(sitting.team.grades.success, sitting.rival.grades.success)
    for place, side in enumerate((sitting.team, sitting.rival)):
        audition.right[place] += int(side.grades.success.sum())
        audition.tokens[place] += side.tokens


def _weigh(model: EcologyModel, sitting: Sitting, income: float) -> None:
    """What paid work has shown, put on record."""
    colony, ours, theirs = sitting.colony, sitting.team, sitting.rival
    right, rival = int(ours.grades.success.sum()), int(theirs.grades.success.sum())
    colony.tasks += len(sitting.tasks)
    colony.right, colony.rival_right = colony.right + right, colony.rival_right + rival
    colony.tokens, colony.rival_tokens = colony.tokens + ours.tokens, colony.rival_tokens + theirs.tokens
    colony.weigh(ours.grades.success, theirs.grades.success)
    if colony.rung == "ensemble" and colony.mode != "handoff" and len(colony.members) > 2:
        for member, without in zip(colony.members, sitting.success_without(model), strict=True):
            colony.without.setdefault(member, Counts()).add(ours.grades.success, without)
    announce(
        model,
        "colony_worked",
        colony,
        rung=colony.rung,
        tasks=len(sitting.tasks),
        right=right,
        rival_right=rival,
        tokens=ours.tokens,
        rival_tokens=theirs.tokens,
        income=round(income, 6),
    )
