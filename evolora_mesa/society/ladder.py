"""The ladder of a colony: from many who answer to one adapter that answers for all.

An ensemble pays for every member's answer. A fused adapter, the mean of the members' weight changes, pays for one. A
distilled one starts there and is taught by teacher forcing what the colony answered: only what was paid in full, beside
answers of the members in their other cells, so that what they can do elsewhere is retained. (G. Hinton, O. Vinyals,
J. Dean, "Distilling the knowledge in a neural network", 2015, with hard labels: a colony has no logits of its own.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from evolora_mesa.evolution.merging import merge
from evolora_mesa.plasticity import sequence_gradients
from evolora_mesa.plasticity.optimizer import SlotOptimizer
from evolora_mesa.society.colony import Lesson

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["FEWEST_LESSONS", "distill", "fuse_members", "keep_lessons", "teaching_tokens"]

FEWEST_LESSONS: Final = 16  # joint answers below which there is nothing to distil
_BATCH: Final = 8  # lessons in an update: on petri four passes teach as much as twelve in batches of 32


def fuse_members(model: EcologyModel, slots: Sequence[int], target: int) -> None:
    """Write the mean of the weight changes of ``slots`` into the allocated slot ``target``, at the bank's full rank."""
    merge(
        model.bank,
        torch.tensor([list(slots)]),
        torch.tensor([target]),
        operator="svd",
        weights=torch.full((1, len(slots)), 1 / len(slots)),
        rank=model.bank.max_rank,
        generator=model.weights_generator,
    )


def teaching_tokens(lessons: Sequence[Lesson], epochs: int) -> int:
    """Tokens that are read when ``lessons`` are taught."""
    return epochs * sum(len(lesson.prompt) + len(lesson.answer) for lesson in lessons)


def distill(model: EcologyModel, lessons: Sequence[Lesson], target: int) -> None:
    """Teach ``target`` the ``lessons``.

    The adapter moves to a bank of its own while it is taught: an optimiser's moments of the whole population's bank
    would be twice that bank's memory.
    """
    settings = model.config.society.colonies
    school = model.host.new_bank(
        model.config.adapter.sites, capacity=2, max_rank=model.bank.max_rank, scaling=model.bank.scaling
    )
    pupil = school.allocate(1, 1, torch.Generator())
    school.write(int(pupil[0]), model.bank.read(target))
    optimizer = SlotOptimizer(school, learning_rate=settings.learning_rate, half_life=0.0)
    rng = model.streams.numpy("colonies.distill")
    for _ in range(settings.epochs):
        for batch in np.array_split(rng.permutation(len(lessons)), -(-len(lessons) // _BATCH)):
            prompts = [lessons[place].prompt for place in batch.tolist()]
            answers = [lessons[place].answer for place in batch.tolist()]
            owners = pupil.repeat(len(batch))
            gradients = sequence_gradients(model.host.host, school, owners, prompts, answers, torch.ones(len(batch)))
            optimizer.step(gradients)
    if bool(school.finite(pupil).all()):  # else it stays what it was, and fails its trial as that
        model.bank.write(target, school.read(int(pupil[0])))


def keep_lessons(kept: list[Lesson], fresh: Sequence[Lesson], most: int) -> None:
    """Add ``fresh`` lessons to those ``kept``, and let the oldest go beyond ``most``."""
    kept += fresh
    del kept[: max(0, len(kept) - most)]
