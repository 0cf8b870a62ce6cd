"""Rounds: one host call answers the present step of every composite that is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from evolora_mesa.society.job import Job
from evolora_mesa.society.questions import Questions, Replies

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Waiting", "ask", "finish", "hear"]

Waiting: TypeAlias = list[tuple[Job, int, slice]]  # jobs, whom each has asked, and where the replies will be


def ask(model: EcologyModel, jobs: Sequence[Job], questions: Questions) -> Waiting:
    """Ask every open job's present step of the first of its bidders that lives."""
    slot_of = {organelle.unique_id: organelle.slot for organelle in model.organelles()}
    waiting: Waiting = []
    for job in jobs:
        if job.over or (member := job.next_member(slot_of.keys())) is None:
            continue
        prompts = job.prompts()
        waiting.append((job, member, questions.ask([slot_of[member]] * len(prompts), prompts)))
    return waiting


def hear(model: EcologyModel, waiting: Waiting, replies: Replies) -> None:
    """Take the answers in, with what their tokens cost."""
    tariff = model.tariff
    for job, member, rows in waiting:
        given = replies.take(rows)
        read, written = int(given.read.sum()), int(given.written.sum())
        job.spent[member] += tariff.prompt_token * read + tariff.generated_token * written
        job.tokens += read + written
        job.take(member, given.texts)


def finish(model: EcologyModel, jobs: Sequence[Job], stream: str) -> None:
    """Round by round, until nothing is open.

    Args:
        stream: beginning of the names of the random streams that answers are keyed by.
    """
    turn = 0
    while any(not job.over for job in jobs):
        turn += 1
        questions = Questions()
        waiting = ask(model, jobs, questions)
        hear(model, waiting, questions.put(model, f"{stream}.{turn}"))
