"""Training outside the ecology: lanes of adapters, each with fixed cells, by reward or by right answers.

The yardsticks of the project: specialists of one family, one adapter on everything, supervised fine-tuning.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import AdapterBank, HostService, Request
from evolora_mesa.plasticity import Learner, Work, make_rule, sequence_gradients
from evolora_mesa.plasticity.optimizer import SlotOptimizer
from evolora_mesa.streams import Streams
from evolora_mesa.tasks import Contracts, Pool, Task, TaskSource, write_answer

__all__ = ["Cell", "Spent", "fine_tune_lanes", "train_lanes"]

Cell = tuple[str, int]


class Spent(NamedTuple):
    """What training took, all lanes together; ``tokens`` were read or written by the host."""

    episodes: int
    tokens: int


def _deal(source: TaskSource, lanes: Sequence[Sequence[Cell]], rows: int, rng: random.Random) -> list[Task]:
    """``rows`` live tasks for every lane, lane after lane."""
    return [source.draw(Pool.LIVE, *lane[rng.randrange(len(lane))], rng) for lane in lanes for _ in range(rows)]


def train_lanes(
    service: HostService,
    bank: AdapterBank,
    slots: torch.Tensor,
    lanes: Sequence[Sequence[Cell]],
    source: TaskSource,
    contracts: Contracts,
    settings: PlasticityConfig,
    *,
    episodes: int,
    rows: int,
    seed: int,
    temperature: float = 1.0,
    max_new_tokens: int = 28,
) -> Spent:
    """Train ``slots [lanes]`` in place by reward.

    Args:
        lanes: the cells that each adapter works in.
        episodes: per lane; a multiple of ``rows``.
        rows: episodes per update and lane.
    """
    streams = Streams(seed)
    generator = torch.Generator().manual_seed(streams.integer("plasticity"))
    families = list(source.families)
    learner = Learner(settings, make_rule(settings, service, bank, generator), bank, len(families))
    learner.reset(slots)
    rng = streams.python("tasks.live")
    key = streams.integer("decode")
    spent = Spent(0, 0)
    for update in range(episodes // rows):
        tasks = _deal(source, lanes, rows, rng)
        owners = slots.repeat_interleave(rows)
        answered_by, trace = learner.stand_ins(owners), learner.trace()
        first_key = key + update * len(tasks)
        requests = [
            Request(slot, task.prompt, first_key + row)
            for row, (slot, task) in enumerate(zip(answered_by.tolist(), tasks, strict=True))
        ]
        answers = service.answer(requests, bank, temperature=temperature, max_new_tokens=max_new_tokens, trace=trace)
        rewards = np.array(
            [
                contracts.reward(task, source.grade(task, text)).value
                for task, text in zip(tasks, answers.texts, strict=True)
            ]
        )
        niches = np.array([families.index(task.family) for task in tasks])
        learner.learn(Work(owners, answered_by, niches, rewards, answers, temperature))
        spent = _add(spent, answers.prompts, answers.tokens)
    return spent


def fine_tune_lanes(
    service: HostService,
    bank: AdapterBank,
    slots: torch.Tensor,
    lanes: Sequence[Sequence[Cell]],
    source: TaskSource,
    contracts: Contracts,
    *,
    episodes: int,
    rows: int,
    seed: int,
    learning_rate: float = 0.01,
    half_life: float = 60.0,
) -> Spent:
    """Train ``slots [lanes]`` in place on right answers in the paid style: what labels would buy.

    Arguments as for `train_lanes`; an episode is one labelled example.
    """
    rng = Streams(seed).python("tasks.live")
    optimizer = SlotOptimizer(bank, learning_rate=learning_rate, half_life=half_life)
    optimizer.reset(slots)
    spent = Spent(0, 0)
    for _ in range(episodes // rows):
        tasks = _deal(source, lanes, rows, rng)
        prompts = service.codec.encode([task.prompt for task in tasks])
        answers = [
            service.codec.encode_answer(
                write_answer(contracts.style(task.family, task.depth), task.target, task.scratch)
            )
            for task in tasks
        ]
        gradients = sequence_gradients(
            service.host, bank, slots.repeat_interleave(rows), prompts, answers, torch.ones(len(tasks))
        )
        optimizer.step(gradients)
        spent = _add(spent, prompts, answers)
    return spent


def _add(spent: Spent, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Spent:
    """``spent`` and one more batch of episodes."""
    tokens = sum(map(len, prompts)) + sum(map(len, answers))
    return Spent(spent.episodes + len(prompts), spent.tokens + tokens)
