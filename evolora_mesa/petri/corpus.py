"""What the embedded host is trained on: right and nearly right answers in a mixture of styles.

Every prompt template of every family has its own taste for the five answer styles. The host so learns all skills and
all styles, but not which style a cell pays for: that is what an adapter can learn. A host that saw one style only
leaves its adapters a single shared direction to learn (transfer between families 70 of 74 points, measured).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

import torch
from tokenizers import Tokenizer

from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.tokenizer import EOS, HEDGE, PAD
from evolora_mesa.tasks import DEFAULT_STYLES, SHIPPED, STYLES, Pool, Task, TaskSource, write_answer

__all__ = ["Batch", "batches", "style_preferences"]

# Batches are cut from this many batches' worth of examples sorted by length, so that little of a batch is padding.
_SORTED_TOGETHER = 16


class Batch(NamedTuple):
    """``ids [rows, length]`` right padded; ``weights [rows, length - 1]`` of the loss on predicting ``ids[:, 1:]``."""

    ids: torch.Tensor
    weights: torch.Tensor


def style_preferences() -> dict[str, list[list[float]]]:
    """Per family and template the frequency of every style in `STYLES`.

    One template prefers the style that is later paid for, one another style clearly, one lies between; which is which
    differs by family, so no wording of the prompt gives the contract away.
    """
    rng = random.Random(11)
    preferences: dict[str, list[list[float]]] = {}
    for place, family in enumerate(SHIPPED):
        paid = DEFAULT_STYLES[family]
        others = [style for style in STYLES if style != paid]
        rng.shuffle(others)
        middle = (0.44, 0.26) if place % 2 else (0.28, 0.44)
        rows = []
        for (for_paid, for_rival), rival in zip(((0.56, 0.14), middle, (0.16, 0.52)), others, strict=False):
            rest = (1 - for_paid - for_rival) / 3
            rows.append([for_paid if s == paid else for_rival if s == rival else rest for s in STYLES])
        rng.shuffle(rows)
        preferences[family] = rows
    return preferences


PREFERENCES: Final = style_preferences()


def _answer(task: Task, recipe: HostRecipe, rng: random.Random) -> str:
    if rng.random() < recipe.hedge * task.depth:
        return HEDGE
    style = rng.choices(STYLES, PREFERENCES[task.family][task.template])[0]
    content = task.near_miss if rng.random() < recipe.near_miss else task.target
    return write_answer(style, content, task.scratch)


def _example(source: TaskSource, recipe: HostRecipe, rng: random.Random) -> tuple[str, str]:
    depths = range(1, len(recipe.depth_weights) + 1)
    family = rng.choice(list(source.families))
    task = source.draw(Pool.LIVE, family, rng.choices(depths, recipe.depth_weights)[0], rng)
    return task.prompt, _answer(task, recipe, rng)


def batches(recipe: HostRecipe, tokenizer: Tokenizer) -> Iterator[Batch]:
    """An endless stream of training batches, drawn from the `live` pool only."""
    rng = random.Random(recipe.seed)
    source = TaskSource(SHIPPED)
    while True:
        examples = [_example(source, recipe, rng) for _ in range(recipe.batch_size * _SORTED_TOGETHER)]
        prompts = tokenizer.encode_batch_fast([prompt for prompt, _ in examples])
        answers = tokenizer.encode_batch_fast([answer for _, answer in examples], add_special_tokens=False)
        rows = sorted(
            ((prompt.ids, answer.ids) for prompt, answer in zip(prompts, answers, strict=True)),
            key=lambda row: len(row[0]) + len(row[1]),
        )
        starts = list(range(0, len(rows), recipe.batch_size))
        rng.shuffle(starts)
        for start in starts:
            yield _pad(rows[start : start + recipe.batch_size], recipe.prompt_weight)


def _pad(rows: list[tuple[list[int], list[int]]], prompt_weight: float) -> Batch:
    length = max(len(prompt) + len(answer) for prompt, answer in rows) + 1
    ids = torch.full((len(rows), length), PAD)
    weights = torch.zeros(len(rows), length - 1)
    for row, (prompt, answer) in enumerate(rows):
        tokens = [*prompt, *answer, EOS]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        weights[row, : len(prompt) - 1] = prompt_weight
        weights[row, len(prompt) - 1 : len(tokens) - 1] = 1.0
    return Batch(ids, weights)
