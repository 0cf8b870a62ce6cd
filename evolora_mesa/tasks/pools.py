"""Four pools of prompts that can never mix: `live`, `gate`, `select`, `test`.

Which pool a prompt belongs to is a hash of its text, so the same prompt can never stand in two of them, whoever draws
it and whenever. The same question in other words is another prompt: in cells with few questions (``logic`` at depth 1
has ten) most test questions also occur in `live` under another wording. Draws come from named random streams.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import random
from collections.abc import Iterator, Mapping
from enum import StrEnum

from evolora_mesa.errors import LockedPoolError, TaskError
from evolora_mesa.tasks.family import Family, Grade, Task

__all__ = ["Pool", "TaskSource", "locked_test_pool", "pool_of"]


class Pool(StrEnum):
    """`live` is paid and learned from, `gate` decides acceptance, `select` picks whom to deploy, `test` is reported."""

    LIVE = "live"
    GATE = "gate"
    SELECT = "select"
    TEST = "test"


# Five eighths are live, because that is where nearly all draws are made; an eighth each for the others.
_POOL_OF_EIGHTH = (Pool.LIVE,) * 5 + (Pool.GATE, Pool.SELECT, Pool.TEST)
_MOST_DRAWS = 10_000
# The smallest cell has 30 prompts. Of the salts 0 to 20 this one leaves most of them in its smallest pool, five, and no
# pool of any cell where a constant answer would be right in more than 70 %.
_SALT = b"11"

_model_loop = contextvars.ContextVar("model_loop", default=False)


def pool_of(prompt: str) -> Pool:
    """The pool that a prompt belongs to: a fixed property of its text."""
    return _POOL_OF_EIGHTH[hashlib.blake2b(prompt.encode(), digest_size=1, person=_SALT).digest()[0] % 8]


@contextlib.contextmanager
def locked_test_pool() -> Iterator[None]:
    """Inside this context nobody can draw from `test`. The model wraps every generation in it."""
    token = _model_loop.set(True)
    try:
        yield
    finally:
        _model_loop.reset(token)


class TaskSource:
    """Draws tasks of chosen families from chosen pools.

    Args:
        families: by name, as from `find_families`.
    """

    def __init__(self, families: Mapping[str, Family]) -> None:
        self.families = dict(families)

    def draw(self, pool: Pool, family: str, depth: int, rng: random.Random) -> Task:
        """One task of ``family`` at ``depth`` whose prompt belongs to ``pool``.

        Raises:
            LockedPoolError: ``pool`` is `test` and the call comes from inside the model loop.
            TaskError: there is no such pool or family, or the cell has (next to) no prompt in this pool.
        """
        if not isinstance(pool, Pool):
            raise TaskError("no such pool", expected="a Pool", got=pool)
        if family not in self.families:
            raise TaskError("no such task family", expected=", ".join(self.families), got=family)
        if pool is Pool.TEST and _model_loop.get():
            raise LockedPoolError(
                "the test pool is locked inside the model loop", where=f"{family}:{depth}", do="Use the gate pool."
            )
        generator = self.families[family]
        for _ in range(_MOST_DRAWS):
            task = generator.generate(rng, depth)
            if pool_of(task.prompt) is pool:
                return task
        raise TaskError(
            "no prompt of this cell falls into the pool",
            where=f"{family}:{depth}, {pool}",
            got=f"{_MOST_DRAWS} draws",
            do="Give the family more different prompts.",
        )

    def grade(self, task: Task, answer: str) -> Grade:
        """The grade that the task's own family gives to ``answer``."""
        return self.families[task.family].grade(task, answer)
