"""What may be asked, and what becomes of it."""

from __future__ import annotations

import pytest
from world_fixtures import tiny_world

from evolora_mesa.errors import HostError, TaskError
from evolora_mesa.host import HostService
from evolora_mesa.view.talk import converse
from evolora_mesa.view.wish import Wish, draw, prompt_of, question_of


def test_a_drawn_question_is_the_task_as_long_as_nobody_changes_it(petri: HostService) -> None:
    task = draw(tiny_world(petri), "math", 1, 1)
    question = question_of(task.prompt)
    assert question in task.prompt and "Answer:" not in question
    assert prompt_of(question, task) == (task.prompt, task)
    assert prompt_of(question + "0", task) == (f"{question}0\nAnswer:", None)


def test_the_line_that_answers_follow_is_put_behind_typed_questions_once() -> None:
    assert prompt_of("What is: 3+4", None) == ("What is: 3+4\nAnswer:", None)
    assert prompt_of("What is: 3+4\nAnswer: ", None) == ("What is: 3+4\nAnswer:", None)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("", "the prompt is empty"),
        (" \n ", "the prompt is empty"),
        ("naïve café?", "the host has no token for some characters: got 'é ï'"),
        ("tab\there", "the host has no token for some characters"),
        ("half a character \ud800", "text cannot be tokenized"),
        ("word " * 200, "the prompt is too long: expected at most 484 tokens, got 1001"),
        ("x" * 30_000, "the prompt is too long: expected at most 20000 characters"),
    ],
)
def test_what_the_host_cannot_read_is_refused_in_a_sentence(petri: HostService, question: str, told: str) -> None:
    with pytest.raises(HostError) as error:
        converse(tiny_world(petri), Wish(prompt_of(question, None)[0], "math", 1))
    assert str(error.value).startswith(told)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(("family", "depth"), [("poetry", 1), ("math", 0), ("math", 3)])
def test_cells_that_are_not_there_are_refused(petri: HostService, family: str, depth: int) -> None:
    model = tiny_world(petri)
    with pytest.raises(TaskError, match="no such cell"):
        draw(model, family, depth, 1)
    with pytest.raises(TaskError, match="no such cell"):
        converse(model, Wish("What is: 3+4\nAnswer:", family, depth))
