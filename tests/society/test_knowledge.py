"""The knowledge cache: answers that were paid in full, read by others, and never from any other pool than live."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hint_world import CACHE_ON, LOGIC, SORT, all_read, events, hint_world, listen, moved
from world_fixtures import breeding_world, enrich, grade_all, live

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.hint import Hint
from evolora_mesa.tasks import Pool, TaskSource, pool_of

OPENINGS = {**CACHE_ON, "society.knowledge.form": "opening"}


def keep(model: EcologyModel, cell: int, *answers: str) -> None:
    """Put answers into the cache as if they had been given to live prompts."""
    rng = model.streams.python("a test's own")
    for answer in answers:
        hint = Hint(model.draw_task(Pool.LIVE, cell, rng).prompt, answer, 10, 0)
        assert model.hints.knowledge.put(cell, hint, model.tick)


def kept(model: EcologyModel, cell: int) -> list[tuple[str, str]]:
    examples = model.hints.knowledge._hints.get(cell, [])
    return [(example.question, example.answer) for example in examples]


def test_what_was_paid_in_full_is_kept_with_its_question_the_surest_first(petri: HostService) -> None:
    model = hint_world(petri, **CACHE_ON, **{"society.knowledge.fresh": 2, "population.episodes": 16})
    model.step()
    work, grades, _ = model.last_work  # type: ignore[misc]
    sure = work.answers.log_probability.numpy()
    right = np.flatnonzero(grades.success & (work.cells == SORT))
    assert len(right) > 2
    surest = sorted(right.tolist(), key=lambda row: -sure[row])[:2]
    assert kept(model, SORT) == [(work.tasks[row].prompt, work.answers.texts[row]) for row in surest]
    [(_, facts)] = [found for found in events(model, "kept") if found[1]["cell"] == [0, 0]]
    assert facts["rows"] == surest


def test_what_was_not_paid_in_full_is_not_kept(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hint_world(petri, **CACHE_ON)
    grade_all(monkeypatch, lambda _: False)
    model.step()
    assert len(model.hints.knowledge) == 0 and not events(model, "kept")
    grade_all(monkeypatch, lambda _: True)
    model.step()
    assert len(model.hints.knowledge) > 0


def test_the_cache_is_bounded_and_forgets(petri: HostService) -> None:
    settings = {"society.knowledge.most": 3, "society.knowledge.lifetime": 4, "population.episodes": 16}
    model = hint_world(petri, **CACHE_ON, **settings)
    for _ in range(6):
        model.step()
        for cell in range(6):
            assert len(kept(model, cell)) <= 3
            assert all(hint.until > model.tick for hint in model.hints.knowledge.at(cell))
    assert len(kept(model, SORT)) == 3
    model.hints.knowledge.expire(model.tick + 4)
    assert len(model.hints.knowledge) == 0


def test_no_prompt_of_a_gate_or_a_selection_or_a_test_gets_into_the_cache(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[Pool, set[str]] = {pool: set() for pool in Pool}
    draw = TaskSource.draw

    def noted(self: TaskSource, pool: Pool, *rest: Any) -> Any:
        task = draw(self, pool, *rest)
        drawn[pool].add(task.prompt)
        return task

    monkeypatch.setattr(TaskSource, "draw", noted)
    settings = {"society.board.enabled": True, "society.board.form": "example", "society.knowledge.most": 1000}
    model = breeding_world(petri, **CACHE_ON, **settings)
    for organelle in model.organelles():
        enrich(model, organelle, 100.0)
    read = listen(monkeypatch, petri)
    live(model, 12)
    assert model.totals["gate_answers"] > 0 and drawn[Pool.GATE] and not drawn[Pool.TEST]
    shelves = (model.hints.knowledge, model.hints.board)
    questions = {hint.question for shelf in shelves for cell in range(6) for hint in shelf.at(cell)}
    assert len(questions) > 10 and questions <= drawn[Pool.LIVE]
    assert all(pool_of(question) is Pool.LIVE for question in questions)
    hinted = [request.prompt for requests, _ in read for request in requests if request.prompt.count("\nAnswer:") > 1]
    assert hinted and not any(prompt.split("\nAnswer:")[0] + "\nAnswer:" in drawn[Pool.GATE] for prompt in hinted)


def test_a_prompt_of_another_pool_is_refused_even_if_it_were_worked_on(petri: HostService) -> None:
    model = hint_world(petri, **CACHE_ON)
    for pool in Pool:
        task = model.draw_task(pool, SORT, model.streams.python("a test's own"))
        hint = Hint(task.prompt, task.target, 5, 0)
        assert model.hints.knowledge.put(SORT, hint, 1) is (pool is Pool.LIVE)


def test_an_example_is_shown_before_the_prompt(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = listen(monkeypatch, petri)
    all_read(monkeypatch, "knowledge")
    model = hint_world(petri, **CACHE_ON)
    keep(model, SORT, '"abc"')
    [(question, answer)] = kept(model, SORT)
    model.step()
    [(requests, written)] = calls
    work = model.last_work.workload  # type: ignore[union-attr]
    hinted = [
        (request.prompt, task.prompt)
        for request, task in zip(requests, work.tasks, strict=True)
        if task.prompt != question
    ]
    assert len(hinted) == model.tally.hints_read > 0
    assert all(prompt == f"{question}{answer}\n{own}" for prompt, own in hinted)
    assert work.answers.texts == written.texts


def test_where_beginnings_are_asked_for_it_is_the_one_that_all_answers_share(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch, "knowledge")
    model = hint_world(petri, **OPENINGS, **{"population.episodes": 16, "plasticity.rule": "none"})
    keep(model, SORT, '"abc"', '"bcd"')
    assert not model.hints.knowledge.at(SORT)  # too little evidence
    keep(model, SORT, '"acd"')
    [hint] = model.hints.knowledge.at(SORT)
    assert (hint.question, hint.answer, hint.tokens) == ("", '"', 1)
    model.step()
    assert model.tally.hints_read == 64 and model.tally.succeeded > 32


@pytest.mark.slow
def test_cached_beginnings_raise_success_by_themselves(petri: HostService) -> None:
    settings = {"population.episodes": 16, "plasticity.rule": "none"}
    right = []
    for cache in ({}, OPENINGS):
        model = hint_world(petri, **settings, **cache)
        found = 0
        for _ in range(10):
            model.step()
            found += model.tally.succeeded
        right.append(found / model.totals["episodes"])
    assert right[1] > right[0] + 0.2


def test_a_shuffled_cache_gives_examples_of_another_family_at_the_same_price(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch, "knowledge")
    fees = []
    for shuffled in (False, True):
        model = hint_world(petri, **CACHE_ON, **{"society.knowledge.shuffled": shuffled})
        keep(model, SORT, '"abc"', '"abd"')
        keep(model, LOGIC, "The answer is true.")
        book = moved(model)
        model.step()
        questions = {question for question, _ in kept(model, LOGIC if shuffled else SORT)}
        for _, facts in events(model, "read"):
            assert facts["from"] == "knowledge"
            assert any(facts["text"].startswith(question) for question in questions)
        fees.append(sum(quanta for _, _, quanta in book["read"]))
    assert fees[0] == fees[1] == 16 * 2000


def test_nobody_is_paid_a_royalty_for_what_is_in_the_cache(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch, "knowledge")
    model = hint_world(petri, **OPENINGS, **{"society.board.royalty": 1.0})
    keep(model, SORT, '"abc"', '"bcd"', '"acd"')
    book = moved(model)
    model.step()
    assert model.tally.succeeded and "royalty" not in book and "read" in book
    assert model.ledger.total() == 0
