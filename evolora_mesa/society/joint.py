"""One answer out of several: how a team decides. Pure functions over whole batches of prompts.

Two answers are the same when a grader could not tell them apart: same style, same content. What stands around them
(blank space, the work shown before an arrow) is not compared. In the modes:

- vote: every member has one vote.
- confidence: a vote weighs the probability that the member's own adapter gave to what it wrote.
- skill: a vote weighs the log-odds of being right, from what is believed of the member in this cell. With independent
  members this is the best of all rules: S. Nitzan, J. Paroush, "Optimal decision rules in uncertain dichotomous choice
  situations" (1982).
- handoff: the others decide by their beliefs, and the member believed best has the last word after reading it.

Of answers with equal support the one wins that was written with the highest log-probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.errors import ConfigError
from evolora_mesa.tasks import ANSWER_CUE, read_answer

__all__ = [
    "ALTERNATIVES",
    "answer_keys",
    "choose_answers",
    "condorcet",
    "deciders",
    "log_odds",
    "prompt_with_message",
    "without_each",
]

# Wrong answers of generated text scatter. With this many ways to answer, a member is worth hearing from a success of
# .1 on; with two, as where only yes and no can be answered, from .5 on.
ALTERNATIVES: Final = 10
_CERTAIN: Final = 1e-6  # beliefs are kept this far from 0 and 1
_EQUAL: Final = 1e-9  # supports that differ by less, relative to all votes together, are equal
_MESSAGE_CUE: Final = "\nOthers say: "


def answer_keys(texts: Sequence[Sequence[str]]) -> np.ndarray:
    """``[prompts, answers]`` numbers; equal ones in a row are the same answer."""
    numbers: dict[tuple[str, str], int] = {}
    rows = [[numbers.setdefault(read_answer(text), len(numbers)) for text in row] for row in texts]
    return np.array(rows, dtype=np.int64).reshape(len(texts), -1)


def log_odds(beliefs: np.ndarray, alternatives: int = 2) -> np.ndarray:
    """What a vote of a member with these chances to be right says for its answer, in nats; same shape.

    Args:
        beliefs: in [0, 1].
        alternatives: answers there are to choose from; the wrong ones are taken to be equally likely.
    """
    chance = np.asarray(beliefs, dtype=float).clip(_CERTAIN, 1 - _CERTAIN)
    return np.log(chance) - np.log1p(-chance) + math.log(alternatives - 1)


def choose_answers(
    keys: np.ndarray,
    log_probability: np.ndarray,
    beliefs: np.ndarray,
    mode: AnswerMode,
    *,
    alternatives: int = ALTERNATIVES,
) -> np.ndarray:
    """Whose answer is the joint one: ``[prompts]`` columns.

    Args:
        keys: ``[prompts, k]`` from `answer_keys`.
        log_probability: ``[prompts, k]`` of each answer.
        beliefs: ``[prompts, k]`` chance that each is right; `skill` and `handoff` weigh by it.
        mode: ``handoff`` decides as `skill` here: what the one with the last word reads, see `deciders`.
        alternatives: for `log_odds`.

    Raises:
        ConfigError: the arrays do not have one shape, or nobody answered.
    """
    if not keys.shape == log_probability.shape == beliefs.shape or keys.ndim != 2 or not keys.shape[1]:
        raise ConfigError(
            "answers, log-probabilities and beliefs do not match",
            expected="three arrays [prompts, k] with k of at least 1",
            got=(keys.shape, log_probability.shape, beliefs.shape),
        )
    match mode:
        case "vote":
            weights = np.ones(keys.shape)
        case "confidence":
            weights = np.exp(log_probability - log_probability.max(1, keepdims=True))
        case "skill" | "handoff":
            weights = log_odds(beliefs, alternatives)
    same = keys[:, :, None] == keys[:, None, :]  # [prompts, k, k]
    support = (same * weights[:, None, :]).sum(2)
    scale = np.abs(weights).sum(1, keepdims=True) + np.finfo(float).tiny
    leading = support >= support.max(1, keepdims=True) - _EQUAL * scale
    return np.where(leading, log_probability, -np.inf).argmax(1)


def without_each(
    keys: np.ndarray, log_probability: np.ndarray, beliefs: np.ndarray, mode: AnswerMode
) -> list[np.ndarray]:
    """For each member the columns ``[prompts]`` that the others would have chosen without it; for teams of three on."""
    columns = np.arange(keys.shape[1])
    chosen = []
    for member in columns:
        others = np.delete(columns, member)
        chosen.append(others[choose_answers(keys[:, others], log_probability[:, others], beliefs[:, others], mode)])
    return chosen


def deciders(beliefs: np.ndarray) -> np.ndarray:
    """``[prompts]`` columns of those who have the last word: believed best, of equals the first."""
    return beliefs.argmax(1)


def prompt_with_message(prompt: str, message: str) -> str:
    """What the one with the last word reads: the prompt, with the others' answer on a line of its own."""
    return f"{prompt.removesuffix(ANSWER_CUE)}{_MESSAGE_CUE}{message}{ANSWER_CUE}"


def condorcet(success: float, members: int) -> float:
    """Chance that a vote of independent members is right where there are two answers; ties count half.

    For three it is 3p² − 2p³. M. de Condorcet, "Essai sur l'application de l'analyse à la probabilité des décisions"
    (1785).
    """
    chances = [
        math.comb(members, right) * success**right * (1 - success) ** (members - right) for right in range(members + 1)
    ]
    return sum(
        chance * (1.0 if 2 * right > members else 0.5 if 2 * right == members else 0.0)
        for right, chance in enumerate(chances)
    )
