"""A wish: the prompt that somebody wants answered, drawn from a cell or typed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

from evolora_mesa.errors import HostError, TaskError
from evolora_mesa.tasks import ANSWER_CUE, Pool, Task
from evolora_mesa.view.saying import room_of, tokens_of

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Wish", "cell_of", "check", "draw", "prompt_of", "question_of"]

_MOST_CHARACTERS: Final = 20_000  # of a prompt: a host without a longest text would read a whole library


class Wish(NamedTuple):
    """What somebody wants answered.

    Attributes:
        prompt: as the host reads it.
        family, depth: the cell whose best organelle and colony are asked; depths count from 1.
        task: what the prompt was drawn as; `None` for one that somebody typed.
        chosen: unique id of an organelle.
        temperature: 0 is greedy.
        number: another one draws other tokens, where they are drawn.
    """

    prompt: str
    family: str
    depth: int
    task: Task | None = None
    chosen: int | None = None
    temperature: float = 0.0
    number: int = 0

    @property
    def stream(self) -> str:
        """Name of the numbers that sampled tokens are chosen by."""
        return f"talk.{self.number}"


def draw(model: EcologyModel, family: str, depth: int, number: int) -> Task:
    """A task of a cell as those who live there get it, from a generator of its own.

    It is of the pool `live`: a prompt of the others that was looked at would no longer be fresh.

    Raises:
        TaskError: the world has no such cell.
    """
    rng = random.Random(f"{model.config.seed} talk {number}")
    return model.draw_task(Pool.LIVE, cell_of(model, family, depth), rng)


def question_of(prompt: str) -> str:
    """The part of a prompt that people write: without the line that every answer follows."""
    return prompt.removesuffix(ANSWER_CUE)


def prompt_of(question: str, task: Task | None) -> tuple[str, Task | None]:
    """What is put to the host, and the task that it is; `None` when the question is no longer the drawn one."""
    if task is not None and question == question_of(task.prompt):
        return task.prompt, task
    return question_of(question.rstrip()) + ANSWER_CUE, None


def cell_of(model: EcologyModel, family: str, depth: int) -> int:
    """The flat number of a cell.

    Raises:
        TaskError: the world has no such cell.
    """
    families, depths = model.grid.families, model.grid.depths
    if family not in families or not 1 <= depth <= depths:
        raise TaskError(
            "no such cell in this world",
            expected=f"one of {', '.join(families)}, depth 1 to {depths}",
            got=f"{family}, depth {depth}",
        )
    return families.index(family) * depths + depth - 1


def check(model: EcologyModel, prompt: str) -> None:
    """Refuse what the host cannot read.

    Raises:
        HostError: the prompt says nothing, is too long, or has characters that the host has no token for.
    """
    question = question_of(prompt)
    if not question.strip():
        raise HostError("the prompt is empty", do="Type one, or draw one from a cell.")
    if len(prompt) > _MOST_CHARACTERS:
        expected = f"at most {_MOST_CHARACTERS} characters"
        raise HostError("the prompt is too long", expected=expected, got=len(prompt), do="Shorten it.")
    codec = model.host.codec
    characters = sorted(set(question) - set(" \n"))
    known = codec.decode(codec.encode(characters))
    strange = [character for character, text in zip(characters, known, strict=True) if not text]
    if strange:
        raise HostError(
            "the host has no token for some characters", got=" ".join(strange), do="Take them out of the prompt."
        )
    if (tokens := tokens_of(model, prompt)) > (room := room_of(model)):
        raise HostError("the prompt is too long", expected=f"at most {room:.0f} tokens", got=tokens, do="Shorten it.")
