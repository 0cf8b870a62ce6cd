"""Composite tasks: pipelines of cells. Each step is asked about the answer to the step before.

``word.count > math > sequence`` counts words, computes with their number, and continues a series from the result. What
a step is taken for decides how it is asked: a number is part of a sum, of a product or of a series, and only the true
family's question has the right answer. Every step is graded exactly, by what is right for the content that it was in
fact given, and the whole by what all steps give when all are right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks.family import ANSWER_CUE
from evolora_mesa.tasks.pools import Pool, TaskSource, pool_of
from evolora_mesa.tasks.styles import read_answer

__all__ = ["CHAINS", "DEEPEST", "Asked", "Composite", "Step", "chains_of", "content_of", "draw_composite"]

# Families in the order of their steps. Only those whose answers are questions of the next as its own draws make them.
CHAINS: Final[tuple[tuple[str, ...], ...]] = (
    ("string.sort", "string.ops"),
    ("word.count", "math"),
    ("word.count", "math.multi_step"),
    ("word.count", "sequence"),
    ("json.repair", "math"),
    ("json.repair", "sequence"),
    ("word.count", "math", "sequence"),
    ("word.count", "math.multi_step", "sequence"),
    ("json.repair", "math", "sequence"),
)
DEEPEST: Final = 2  # of a step; deeper numbers leave what the next family asks about
_MOST_DRAWS: Final = 10_000


class Asked(NamedTuple):
    """A question, and the right answer to it."""

    question: str
    answer: str


@dataclass(frozen=True)
class Step:
    """One step of a composite, as its environment knows it.

    Attributes:
        family, depth: the cell that it belongs to.
        template: number of the wording.
        phrase: what it does, as part of an instruction for all steps.
        asks: by family, what it asks of a content; families that are not here ask about the content as it is.
    """

    family: str
    depth: int
    template: int
    phrase: str
    asks: Mapping[str, Callable[[str], Asked]]

    def question(self, family: str, content: str) -> str:
        """What is asked of a content when the step is taken for one of ``family``."""
        return self.asks[family](content).question if family in self.asks else content

    def answer(self, content: str) -> str:
        """What is right for a content."""
        return self.asks[self.family](content).answer

    def well_formed(self, content: str) -> bool:
        """Whether an answer is of the kind that this step gives, so that the next one can be asked about it."""
        return _FORMS[self.family].fullmatch(content) is not None


@dataclass(frozen=True)
class Composite:
    """A whole task.

    Attributes:
        steps: at least two.
        content: what the first step is about.
        answer: of the last step, if all are right.
    """

    steps: tuple[Step, ...]
    content: str
    answer: str

    @property
    def prompt(self) -> str:
        """Everything at once, for whoever answers it alone."""
        return f"{', then '.join(step.phrase for step in self.steps)}: {self.content}{ANSWER_CUE}"


def content_of(text: str) -> str:
    """What an answer says, in whatever style."""
    return read_answer(text)[1].strip()


def chains_of(families: Iterable[str]) -> list[tuple[str, ...]]:
    """The chains that can be made of these families.

    Raises:
        TaskError: none can.
    """
    present = frozenset(families)
    found = [chain for chain in CHAINS if present.issuperset(chain)]
    if not found:
        raise TaskError(
            "no composite task can be made of these families",
            expected="all families of one of " + "; ".join(" and ".join(chain) for chain in CHAINS),
            got=", ".join(sorted(present)),
            do="Add families to tasks.families, or switch society.orchestrator off.",
        )
    return found


def draw_composite(
    source: TaskSource, chains: Sequence[tuple[str, ...]], depths: int, pool: Pool, rng: random.Random
) -> Composite:
    """A composite of one of ``chains``; taken apart and answered right, all its prompts belong to ``pool``.

    Args:
        depths: of the world; steps are at most `DEEPEST`.

    Raises:
        LockedPoolError: ``pool`` is `test` and the call comes from inside the model loop.
        TaskError: (next to) no such composite has its prompts in this pool.
    """
    chain, depth = rng.choice(chains), rng.randint(1, min(DEEPEST, depths))
    for _ in range(_MOST_DRAWS):
        found = _draw(source, chain, depth, pool, rng)
        if found is not None:
            return found
    raise TaskError(
        "no composite task falls into the pool", where=f"{' > '.join(chain)}, {pool}", got=f"{_MOST_DRAWS} draws"
    )


def _draw(source: TaskSource, chain: tuple[str, ...], depth: int, pool: Pool, rng: random.Random) -> Composite | None:
    """One attempt; `None` where a step's question would be of another kind than its family asks."""
    task = source.draw(pool, chain[0], depth, rng)
    wording = source.families[chain[0]].templates[task.template]
    start = task.prompt.removeprefix(f"{wording} ").removesuffix(ANSWER_CUE)
    first = {chain[0]: lambda content: Asked(content, task.target)}
    steps = [Step(chain[0], depth, task.template, wording.rstrip(":"), first)]
    content = task.target
    for family in chain[1:]:
        templates = source.families[family].templates
        found = {name: follow(rng, depth) for name, follow in _FOLLOW.items()}
        asks = {name: ask for name, (_, ask) in found.items()}
        step = Step(family, depth, rng.randrange(len(templates)), found[family][0], asks)
        prompt = f"{templates[step.template]} {step.question(family, content)}{ANSWER_CUE}"
        if not _is_usual(family, depth, content) or pool_of(prompt) is not pool:
            return None
        steps.append(step)
        content = step.answer(content)
    return Composite(tuple(steps), start, content)


# ---------------------------------------------------------------- what is asked of an answer

_LETTERS: Final = re.compile(r"[a-p]{1,40}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,4}")
_LIST: Final = re.compile(r"\[[0-9]{1,4}(,[0-9]{1,4}){0,9}\]")
_FORMS: Final = {
    "string.sort": _LETTERS,
    "string.ops": _LETTERS,
    "json.repair": _LIST,
    "word.count": _NUMBER,
    "math": _NUMBER,
    "math.multi_step": _NUMBER,
    "sequence": _NUMBER,
}
# Numbers that a family asks about in this place, by depth.
_USUAL: Final = {"math": ((1, 9), (1, 9)), "math.multi_step": ((1, 5), (1, 5)), "sequence": ((0, 9), (0, 30))}

_Follow = tuple[str, Callable[[str], Asked]]  # a phrase of the instruction, and what is asked


def _value(content: str) -> int:
    """The number that an answer is, or the first of a list; 0 of letters."""
    found = _NUMBER.search(content)
    return int(found[0]) if found is not None else 0


def _is_usual(family: str, depth: int, content: str) -> bool:
    if family not in _USUAL:
        return True
    low, high = _USUAL[family][depth - 1]
    return low <= _value(content) <= high


def _reverse(_: random.Random, __: int) -> _Follow:
    return "reverse the text", lambda content: Asked(content, content[::-1])


def _add(rng: random.Random, depth: int) -> _Follow:
    terms = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in range(depth)]
    tail = "".join(f"{term:+d}" for term in terms)

    def ask(content: str) -> Asked:
        return Asked(f"{_value(content)}{tail}", str(_value(content) + sum(terms)))

    return f"compute it{tail}", ask


def _multiply(rng: random.Random, depth: int) -> _Follow:
    """``(n+b)*c`` at depth 1, ``(n+b)*c-d`` at depth 2."""
    more, times = rng.randint(1, 5), rng.randint(1, 5)
    terms = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in range(depth - 1)]
    tail = f"+{more})*{times}" + "".join(f"{term:+d}" for term in terms)

    def ask(content: str) -> Asked:
        value = _value(content)
        return Asked(f"({value}{tail}", str((value + more) * times + sum(terms)))

    return f"solve (it{tail}", ask


def _continue(rng: random.Random, depth: int) -> _Follow:
    step = rng.randint(1, 3) if depth == 1 else rng.randint(2, 9)

    def ask(content: str) -> Asked:
        *terms, answer = range(_value(content), _value(content) + 5 * step, step)
        return Asked(" ".join(map(str, terms)), str(answer))

    return f"give the fifth term of the series that begins with it in steps of {step}", ask


_FOLLOW: Final[dict[str, Callable[[random.Random, int], _Follow]]] = {
    "string.ops": _reverse,
    "math": _add,
    "math.multi_step": _multiply,
    "sequence": _continue,
}
