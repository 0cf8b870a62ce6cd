"""What the world asks: families of generated text tasks, contracts that pay for a style, and four pools of prompts."""

from __future__ import annotations

from evolora_mesa.tasks.contracts import DEFAULT_STYLES, Contracts, Reward
from evolora_mesa.tasks.family import ANSWER_CUE, Family, Grade, Problem, Task
from evolora_mesa.tasks.pools import Pool, TaskSource, locked_test_pool, pool_of
from evolora_mesa.tasks.registry import SHIPPED, find_families, load_family
from evolora_mesa.tasks.styles import ARROW, SENTENCE_OPENING, STYLES, read_answer, write_answer

__all__ = [
    "ANSWER_CUE",
    "ARROW",
    "DEFAULT_STYLES",
    "SENTENCE_OPENING",
    "SHIPPED",
    "STYLES",
    "Contracts",
    "Family",
    "Grade",
    "Pool",
    "Problem",
    "Reward",
    "Task",
    "TaskSource",
    "find_families",
    "load_family",
    "locked_test_pool",
    "pool_of",
    "read_answer",
    "write_answer",
]
