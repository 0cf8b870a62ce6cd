"""Questions that ride in the generation's one host call behind everybody's own, and their replies taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evolora_mesa.host import Answers, Request
from evolora_mesa.society.joint_work import sit_down
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.tasks import Task

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Riders", "alight", "mount"]


class Riders(NamedTuple):
    """What the router and the orchestrator ask, and what colonies do."""

    routed: Questions
    joint: Questions

    def requests(self, model: EcologyModel) -> list[Request]:
        """All of them, in this order."""
        return [
            *self.routed.requests(model, f"riders.{model.tick}"),
            *self.joint.requests(model, f"colonies.{model.tick}"),
        ]


def mount(model: EcologyModel, cells: np.ndarray, tasks: Sequence[Task]) -> Riders:
    """Everything that society asks; nothing while all of it is off.

    Args:
        cells: ``[rows]`` flat cell numbers of the generation's own rows.
        tasks: one per row.
    """
    riders = Riders(Questions(), Questions())
    model.router.ask(riders.routed)
    model.orchestrator.ask(model, riders.routed)
    sit_down(model, cells, tasks, riders.joint)
    return riders


def alight(model: EcologyModel, riders: Riders, answers: Answers) -> Answers:
    """Hand the riders' replies over; what is left are the answers of the workload, and what learning needs of them."""
    if not any(map(len, riders)):
        return answers
    last = len(answers.texts) - len(riders.joint)
    rows = last - len(riders.routed)
    if len(riders.routed):
        replies = Replies.of(answers, slice(rows, last))
        model.router.hear(replies)
        model.orchestrator.hear(model, replies)
    model.colonies.replies = Replies.of(answers, slice(last, None))
    trace = answers.trace
    if trace is not None:
        trace = trace.take((trace.rows < rows).nonzero().squeeze(1))
    return replace(
        answers,
        texts=answers.texts[:rows],
        prompts=answers.prompts[:rows],
        tokens=answers.tokens[:rows],
        log_probability=answers.log_probability[:rows],
        trace=trace,
    )
