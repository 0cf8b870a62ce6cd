"""Questions that ride in the generation's one host call behind everybody's own, and their replies taken out again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evolora_mesa.host import Answers
from evolora_mesa.society.questions import Questions, Replies

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["alight", "mount"]


def mount(model: EcologyModel) -> Questions:
    """What the router and the orchestrator ask; nothing while both are off."""
    riders = Questions()
    model.router.ask(riders)
    model.orchestrator.ask(model, riders)
    return riders


def alight(model: EcologyModel, riders: Questions, answers: Answers) -> Answers:
    """Hand the riders' replies over; what is left are the answers of the workload, and what learning needs of them."""
    if not len(riders):
        return answers
    rows = len(answers.texts) - len(riders)
    replies = Replies.of(answers, slice(rows, None))
    model.router.hear(replies)
    model.orchestrator.hear(model, replies)
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
