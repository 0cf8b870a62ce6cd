"""Tokens and their log-probabilities, and how they are shaded."""

from __future__ import annotations

import math

import pytest
import solara
from world_fixtures import teach, tiny_world

from evolora_mesa.host import HostService, Request
from evolora_mesa.host.bank import BARE
from evolora_mesa.view.saying import END, Token, ask_slots
from evolora_mesa.view.theme import LIGHT
from evolora_mesa.view.tokens import UNSURE, Tokens, TokensWidget, shade

PROMPT = "What is: 13+4\nAnswer:"


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_tokens_make_up_the_answer_with_its_probability(petri: HostService, temperature: float) -> None:
    model = tiny_world(petri)
    slots = [organelle.slot for organelle in model.organelles()]
    for organelle in model.organelles():
        teach(model, organelle)
    heard = ask_slots(model, [slots[2], BARE, slots[0]], PROMPT, temperature=temperature, stream="test")
    first_key = model.streams.integer("test") >> 1
    requests = [Request(slot, PROMPT, first_key + row) for row, slot in enumerate([slots[2], BARE, slots[0]])]
    answers = model.host.answer(
        requests, model.bank, temperature=temperature, max_new_tokens=model.config.host.max_new_tokens
    )
    assert [said.text for said in heard] == answers.texts
    for row, said in enumerate(heard):
        assert "".join(token.text for token in said.tokens) == said.text
        assert len(said.tokens) == len(answers.tokens[row])
        total = sum(token.log_probability for token in said.tokens)
        assert total == pytest.approx(float(answers.log_probability[row]), abs=1e-4)
        assert said.read == len(answers.prompts[row])
        assert [token.ends for token in said.tokens[:-1]] == [False] * (len(said.tokens) - 1)


def test_a_greedy_token_is_likelier_than_those_it_is_told_beside(petri: HostService) -> None:
    [said] = ask_slots(tiny_world(petri), [BARE], "What is: 2+8-9\nAnswer:", temperature=0.0, stream="test")
    assert said.tokens[-1].ends and said.tokens[-1].text == ""
    for token in said.tokens:
        chances = [math.exp(token.log_probability), *(chance for _, chance in token.others)]
        assert len(chances) == 4
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= 1 + 1e-6
    assert any(text == END for token in said.tokens for text, _ in token.others)


def test_the_less_likely_a_token_the_stronger_its_shade() -> None:
    strengths = [
        int(shade(log_probability, "#c14f00")[7:], 16) for log_probability in (0.0, -0.5, -2.0, -UNSURE, -50.0)
    ]
    assert strengths == sorted(strengths)
    assert strengths[0] == 0 and strengths[3] == strengths[4] < 200


def test_text_of_the_host_reaches_the_browser_as_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    tokens = Token(evil, -0.5, ((evil, 0.1),), False), Token("", -0.1, (), True)
    _, tree = solara.render(Tokens(tokens, LIGHT), handle_error=False)
    [widget] = tree.find(TokensWidget).widgets
    assert [token["text"] for token in widget.tokens] == [evil, "⏎"]
    assert widget.tokens[0]["told"].startswith(f"“{evil}”: probability 0.607, log-probability −0.50 nats")
    assert "v-html" not in widget.template.template
    tree.close()
