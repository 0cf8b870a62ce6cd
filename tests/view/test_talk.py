"""Talk: who is asked, what they say, and that the world does not notice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from talkative_world import CELL, COLONIES, colony_of, taught_world
from world_fixtures import at_home, live, tiny_world

from evolora_mesa.host import HostService, Request
from evolora_mesa.host.bank import BARE
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.state import state_of
from evolora_mesa.record.tree import split
from evolora_mesa.tasks import Pool, Task, pool_of
from evolora_mesa.view.saying import Said, Token
from evolora_mesa.view.talk import Conversation, Reply, converse
from evolora_mesa.view.wish import Wish, draw


def wish_for(task: Task, **wanted: object) -> Wish:
    return Wish(task.prompt, task.family, task.depth, task, **wanted)


def reply_of(said: Conversation, who: str) -> Reply:
    [reply] = [reply for reply in said.replies if reply.who == who]
    return reply


def alone(model: EcologyModel, slot: int, prompt: str) -> str:
    tokens = model.config.host.max_new_tokens
    return model.host.answer([Request(slot, prompt)], model.bank, max_new_tokens=tokens).texts[0]


def scripted(monkeypatch: pytest.MonkeyPatch, model: EcologyModel, lines: Mapping[int, tuple[str, float]]) -> list[str]:
    """Everybody says what is written here by slot, with that log-probability. Returns the prompts that are asked."""
    prompts: list[str] = []

    def say(_: EcologyModel, slots: Sequence[int], prompt: str, **__: object) -> list[Said]:
        prompts.append(prompt)
        heard = []
        for slot in slots:
            text, chance = lines.get(slot, ("?", -9.0))
            if prompt != prompts[0]:
                text = f"{text} after all"
            heard.append(Said(text, (Token(text, chance, (), False),), 10, chance))
        return heard

    monkeypatch.setattr("evolora_mesa.view.talk.ask_slots", say)
    return prompts


# ---------------------------------------------------------------- who answers


def test_everybody_says_what_it_would_say_alone(petri: HostService) -> None:
    model = taught_world(petri)
    chosen, best = model.organelles()[:2]
    at_home(model, best, CELL)
    task = draw(model, "math", 2, 1)
    said = converse(model, wish_for(task, chosen=chosen.unique_id))
    assert [(reply.who, reply.organelle) for reply in said.replies] == [
        ("host", None),
        ("chosen", chosen.unique_id),
        ("best", best.unique_id),
    ]
    slots = [BARE, chosen.slot, best.slot]
    assert [reply.text for reply in said.replies] == [alone(model, slot, task.prompt) for slot in slots]
    assert len({reply.text for reply in said.replies}) > 1


def test_there_is_one_host_call(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = taught_world(petri, **COLONIES), []
    colony_of(model, (0, 1, 2), "vote")
    answer = petri.answer
    monkeypatch.setattr(petri, "answer", lambda *given, **more: calls.append(1) or answer(*given, **more))
    said = converse(model, wish_for(draw(model, "math", 2, 1), chosen=1))
    assert {"host", "chosen", "colony"} <= {reply.who for reply in said.replies}
    assert calls == [1]


def test_the_best_of_a_cell_is_the_citizen_with_the_best_record_there(petri: HostService) -> None:
    model = taught_world(petri)
    lucky, steady, on_trial, elsewhere = model.organelles()
    at_home(model, lucky, CELL, episodes=1.0, success=1.0)
    at_home(model, steady, CELL, episodes=40.0, success=0.9)
    at_home(model, on_trial, CELL, episodes=40.0, success=1.0)
    at_home(model, elsewhere, CELL + 1, success=1.0)
    on_trial.on_trial = True
    best = reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "best")
    assert best.organelle == steady.unique_id
    assert "90 % of about 40" in best.about


def test_the_chosen_one_answers_once_even_if_it_is_the_best(petri: HostService) -> None:
    model = taught_world(petri)
    at_home(model, model.organelles()[2], CELL)
    said = converse(model, wish_for(draw(model, "math", 2, 1), chosen=3))
    assert [reply.who for reply in said.replies] == ["host", "chosen"]
    assert "best in this cell" in said.replies[1].about


def test_whoever_is_missing_is_told_why(petri: HostService) -> None:
    model = tiny_world(petri)
    task = draw(model, "math", 2, 1)
    assert [sentence.split()[0] for sentence in converse(model, wish_for(task)).absent] == ["No", "Nobody", "Colonies"]
    assert "#99" in converse(model, wish_for(task, chosen=99)).absent[0]
    assert "founded yet" in converse(tiny_world(petri, **COLONIES), wish_for(task)).absent[-1]


# ---------------------------------------------------------------- colonies


def test_a_colony_says_what_most_of_its_members_say(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_world(petri, **COLONIES)
    colony = colony_of(model, (0, 1, 2), "vote")
    slots = [organelle.slot for organelle in model.organelles()]
    scripted(monkeypatch, model, {slots[0]: ("a", -0.1), slots[1]: ("b", -2.0), slots[2]: ("b", -3.0)})
    reply = reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "colony")
    assert (reply.text, reply.name, reply.read, reply.written) == ("b", f"Colony {colony.number}", 30, 3)
    assert reply.members == ((1, "a"), (2, "b"), (3, "b"))
    colony.mode = "confidence"
    assert reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "colony").text == "a"


def test_whoever_has_the_last_word_reads_what_the_others_say(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_world(petri, **COLONIES)
    colony_of(model, (0, 1), "handoff")
    first, second = model.organelles()[:2]
    at_home(model, second, CELL)  # believed best
    prompts = scripted(monkeypatch, model, {first.slot: ("draft", -0.1), second.slot: ("own", -0.1)})
    reply = reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "colony")
    assert (reply.text, reply.read) == ("own after all", 30)
    assert "Others say: draft" in prompts[1]


def test_an_adapter_answers_for_a_colony_that_is_one(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_world(petri, **COLONIES)
    colony = colony_of(model, (0, 1), "vote")
    colony.rung, colony.adapter = "fused", int(model.bank.allocate(1, 1, model.weights_generator)[0])
    scripted(monkeypatch, model, {colony.adapter: ("as one", -0.1)})
    reply = reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "colony")
    assert (reply.text, reply.members, reply.read) == ("as one", (), 10)


def test_a_colony_of_the_cell_is_asked_before_others(petri: HostService) -> None:
    model = tiny_world(petri, **{**COLONIES, "society.colonies.most": 2})
    elsewhere, here = colony_of(model, (0, 1), "vote", cells=(0,)), colony_of(model, (2, 3), "vote")
    elsewhere.tasks = elsewhere.right = 100
    reply = reply_of(converse(model, wish_for(draw(model, "math", 2, 1))), "colony")
    assert (reply.name, reply.about.split(";")[0]) == (f"Colony {here.number}", "works in this cell")
    reply = reply_of(converse(model, wish_for(draw(model, "logic", 1, 1))), "colony")
    assert (reply.name, reply.about.split(";")[0]) == (f"Colony {elsewhere.number}", "does not work in this cell")


# ---------------------------------------------------------------- verdicts


def test_a_drawn_prompt_is_graded_and_paid_as_at_work(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_world(petri)
    task = draw(model, "math", 2, 1)
    for text, expected in (
        (f"{task.scratch} => {task.target}", (True, True, "work", 1.0)),
        (f'"{task.target}"', (True, False, "quoted", 0.2)),
        ("nonsense", (False, False, "terse", 0.0)),
    ):
        scripted(monkeypatch, model, {BARE: (text, -0.1)})
        said = converse(model, wish_for(task))
        assert said.replies[0].verdict == expected
        assert (said.style, said.truth) == ("work", task.target)


def test_nobody_judges_a_typed_prompt(petri: HostService) -> None:
    said = converse(tiny_world(petri), Wish("Hello?\nAnswer:", "math", 1))
    assert (said.truth, said.replies[0].verdict) == (None, None)


# ---------------------------------------------------------------- the world does not notice


def without_seconds(plain: Any) -> Any:
    """The same tree, but for what was measured by a clock."""
    if isinstance(plain, dict):
        return {key: without_seconds(value) for key, value in plain.items() if not key.endswith("_seconds")}
    return [without_seconds(value) for value in plain] if isinstance(plain, list) else plain


def everything(model: EcologyModel) -> tuple[str, dict[str, bytes]]:
    """All of a world's state, to the last bit."""
    plain, tensors = split(state_of(model))
    return json.dumps(without_seconds(plain)), {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_a_world_that_was_talked_to_goes_on_as_one_that_was_not(petri: HostService) -> None:
    quiet, talked = (live(taught_world(petri, **COLONIES), 2) for _ in range(2))
    for model in (quiet, talked):
        colony_of(model, (0, 1), "handoff")
    for number, (family, depth) in enumerate((("math", 2), ("logic", 1), ("word.count", 2))):
        task = draw(talked, family, depth, number)
        said = converse(talked, wish_for(task, chosen=1, temperature=float(number), number=number))
        assert {"host", "chosen", "colony"} <= {reply.who for reply in said.replies}
    assert everything(quiet) == everything(talked)
    for _ in range(2):
        quiet.step()
        talked.step()
        assert everything(quiet) == everything(talked)


def test_sampled_answers_are_repeated_by_their_number(petri: HostService) -> None:
    model = taught_world(petri)
    task = draw(model, "math", 2, 1)
    texts = [
        [converse(model, wish_for(task, temperature=1.5, number=number)).replies[0].text for number in range(6)]
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


def test_prompts_are_drawn_from_the_live_pool_and_repeated_by_their_number(petri: HostService) -> None:
    model = tiny_world(petri)
    tasks = [draw(model, "math", 2, number) for number in range(20)]
    assert tasks == [draw(model, "math", 2, number) for number in range(20)]
    assert len(set(tasks)) > 10
    assert {pool_of(task.prompt) for task in tasks} == {Pool.LIVE}
