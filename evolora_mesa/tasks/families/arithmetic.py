"""math and math.multi_step: small whole numbers, with the partial results as the work."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Final

from evolora_mesa.tasks.family import Family, Problem

__all__ = ["Math", "MultiStepMath"]

_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _near(rng: random.Random, value: int) -> str:
    return str(value + rng.choice((-10, -2, -1, 1, 2, 10)))


class Math(Family):
    """A chain of sums and differences, read left to right. Depth is the number of operations.

    Depth 1 also has products of one-digit numbers. The work is the list of partial results.
    """

    name = "math"
    templates = ("Compute:", "What is:", "Calculate:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        value = rng.randint(1, 9 if depth < 3 else 19)
        text, partial = str(value), []
        for _ in range(depth):
            sign = "*" if depth == 1 and rng.random() < 0.3 else rng.choice("+-")
            operand = rng.randint(1, 9)
            value = _OPERATIONS[sign](value, operand)
            text += sign + str(operand)
            partial.append(str(value))
        return Problem(text, str(value), _near(rng, value), ",".join(partial[:-1]))


class MultiStepMath(Family):
    """Products bind tighter and brackets tighter still. Depth is the number of operations less one.

    ``a+b*c`` at depth 1, ``(a+b)*c`` or ``a*b+c*d`` forms deeper. The work lists the inner results.
    """

    name = "math.multi_step"
    templates = ("Solve:", "Find the value of:", "Give the result of:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        a, b, c = (rng.randint(1, 5) for _ in range(3))
        if depth == 1:
            form = rng.randrange(2)
            text, value, work = (
                (f"{a}+{b}*{c}", a + b * c, [b * c]) if form else (f"({a}+{b})*{c}", (a + b) * c, [a + b])
            )
        else:
            d = rng.randint(1, 9)
            sign = rng.choice("+-")
            fold = _OPERATIONS[sign]
            text, value, work = (
                (f"{a}*{b}{sign}{d}*{c}", fold(a * b, d * c), [a * b, d * c])
                if rng.random() < 0.5
                else (f"({a}+{b})*{c}{sign}{d}", fold((a + b) * c, d), [a + b, (a + b) * c])
            )
            for _ in range(depth - 2):
                work.append(value)
                tail_sign, tail = rng.choice("+-"), rng.randint(1, 9)
                text += f"{tail_sign}{tail}"
                value = _OPERATIONS[tail_sign](value, tail)
        return Problem(text, str(value), _near(rng, value), ",".join(map(str, work)))
