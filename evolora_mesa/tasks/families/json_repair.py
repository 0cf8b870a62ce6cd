"""json.repair: a broken list of numbers made valid again."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem

__all__ = ["JsonRepair"]

_FAULTS = ("unclosed", "trailing comma", "missing comma", "double comma", "unopened")


class JsonRepair(Family):
    """Undo the faults in a JSON list of whole numbers; the numbers stay as they are.

    Depth sets the length (1–2 numbers more than the depth), which faults occur, and how many (two from depth 3).
    """

    name = "json.repair"
    templates = ("Repair the JSON:", "Fix this JSON:", "Make valid JSON:")
    partial_credit = True

    def problem(self, rng: random.Random, depth: int) -> Problem:
        numbers = [str(rng.randint(0, 99)) for _ in range(depth + rng.randint(1, 2))]
        answer = f"[{','.join(numbers)}]"
        broken = _break(rng, numbers, rng.choices(_FAULTS[: 2 + depth], k=1 + (depth >= 3) + (depth >= 5)))
        shorter = list(numbers)
        del shorter[rng.randrange(len(shorter))]
        near_miss = rng.choice((f"[{','.join(shorter)}]", "[" + ",".join(numbers), broken))
        return Problem(broken, answer, near_miss)


def _break(rng: random.Random, numbers: list[str], faults: list[str]) -> str:
    opening, closing, gaps = "[", "]", [","] * (len(numbers) - 1)
    for fault in faults:
        match fault:
            case "missing comma":
                gaps[rng.randrange(len(gaps))] = " "
            case "double comma":
                gaps[rng.randrange(len(gaps))] = ",,"
            case "trailing comma":
                closing = "," + closing.lstrip(",")
            case "unopened":
                opening = ""
            case _:
                closing = closing.rstrip("]")
    if opening and closing == "]" and all(gap == "," for gap in gaps):
        closing = ""
    return opening + numbers[0] + "".join(gap + number for gap, number in zip(gaps, numbers[1:], strict=True)) + closing
