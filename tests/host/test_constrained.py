"""A guided answer is a word of its language, whatever the host would rather write, and disturbs nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hosts import ALL_SITES, filled_bank, load_service, mixed_requests
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from evolora_mesa.errors import HostError
from evolora_mesa.host import HostService, Request, TokenTrace
from evolora_mesa.host.constrained import Guide, automaton_of
from evolora_mesa.host.text import TextCodec

CHAIN = [['{"c":"'], ["any", "math", "math:2", "math.multi_step"], ['","r":'], ["true", "false"], ["}"]]
CHAINS = st.lists(
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=4, unique=True), min_size=1, max_size=4
).filter(lambda chain: any(map("".join, product(*chain))))


def words_of(chain: Sequence[Sequence[str]]) -> set[str]:
    return set(map("".join, product(*chain)))


def accepts(chain: Sequence[Sequence[str]], word: str) -> bool:
    automaton, state = automaton_of(chain), 0
    for letter in word:
        if letter not in automaton.letters:
            return False
        state = int(automaton.following[state, automaton.letters.index(letter)])
        if state < 0:
            return False
    return bool(automaton.ends[state])


def writable(guide: Guide, texts: Sequence[str], stop: torch.Tensor) -> dict[str, int]:
    """Every word that the guide lets pass, with the most tokens that it takes; by all ways, the shorter texts first."""
    found: dict[str, int] = {}
    reached, waiting = {"": (1, 0)}, {""}
    while waiting:
        written = min(waiting, key=lambda text: (len(text), text))
        waiting.remove(written)
        state, count = reached[written]
        allowed = (guide.masked(torch.zeros(1, len(texts)), torch.tensor([state]))[0] == 0).nonzero().squeeze(1)
        assert allowed.numel()  # nobody is led into a dead end
        assert len(reached) < 2000  # nor in a circle
        for token in allowed.tolist():
            if stop[token]:
                found[written] = count + 1
                continue
            text, after = written + texts[token], guide.after(torch.tensor([state]), torch.tensor([token]))
            reached[text] = (int(after), max(count + 1, reached.get(text, (0, 0))[1]))
            waiting.add(text)
    return found


# ---------------------------------------------------------------- language


@given(chain=CHAINS, word=st.text("abc", max_size=8))
@settings(deadline=None)
def test_an_automaton_accepts_the_words_of_its_language_and_no_other(chain: list[list[str]], word: str) -> None:
    words = words_of(chain)
    assert accepts(chain, word) == (word in words)
    assert all(accepts(chain, known) for known in words)


@given(chain=CHAINS, tokens=st.lists(st.text("abc", min_size=1, max_size=3), max_size=6, unique=True))
@settings(deadline=None)
def test_every_word_can_be_written_with_tokens_of_many_characters_and_nothing_else(
    chain: list[list[str]], tokens: list[str]
) -> None:
    texts = ["", "a", "b", *(token for token in tokens if token not in "ab"), "\n"]
    stop = torch.tensor([text == "\n" for text in texts])
    guide = Guide(chain, texts, stop)
    found = writable(guide, texts, stop)
    assert set(found) == words_of(chain)
    assert guide.longest == max(found.values())


def test_what_the_tokens_cannot_finish_is_not_begun() -> None:
    texts, stop = ["a", "b", "."], torch.tensor([False, False, True])
    guide = Guide([["a"], ["b", "aca", "bc"]], texts, stop)
    assert set(writable(guide, texts, stop)) == {"ab"}


def test_a_host_without_the_letters_is_refused() -> None:
    with pytest.raises(HostError, match=r"cannot write what is wanted.*expected tokens for each of '\{\}'"):
        Guide([["{"], ["}"]], ["{", "."], torch.tensor([False, True]))


def test_an_answer_ends_only_where_a_word_may_end() -> None:
    texts, stop = ["a", "b", "."], torch.tensor([False, False, True])
    guide = Guide([["a", "ab"]], texts, stop)
    start, behind_a, behind_b = 1, 2, 3
    logits = torch.zeros(3, 3)
    allowed = guide.masked(logits, torch.tensor([start, behind_a, behind_b])) == 0
    assert allowed.tolist() == [[True, False, False], [False, True, True], [False, False, True]]


# ---------------------------------------------------------------- hosts


def guided_batch(service: HostService, chain: Sequence[Sequence[str]] = CHAIN) -> tuple[Guide, list[Request]]:
    """Rows of many owners, every other of them guided."""
    rows = mixed_requests(16)
    return service.guide(chain), [
        Request(row.slot, row.prompt, row.key, guided=place % 2 == 0) for place, row in enumerate(rows)
    ]


@pytest.mark.parametrize("route", ["lean", "generic"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_guided_rows_write_words_and_ride_with_others_as_if_alone(
    route: str, temperature: float, host_folder: Callable[[str], Path]
) -> None:
    service = load_service(host_folder("qwen3"), route=route)
    bank = filled_bank(service, ALL_SITES)
    guide, requests = guided_batch(service)
    options = {"temperature": temperature, "max_new_tokens": guide.longest}
    together = service.answer(requests, bank, guide=guide, **options)
    for place, request in enumerate(requests):
        assert (together.texts[place] in words_of(CHAIN)) == request.guided
        alone = service.answer([request], bank, guide=guide, **options)
        assert alone.tokens[0] == together.tokens[place]
    free = service.answer([request for request in requests if not request.guided], bank, **options)
    assert free.tokens == together.tokens[1::2]
    assert len(set(together.texts[::2])) > 1  # the host still has a choice


def test_chunks_do_not_matter_to_guided_rows(host_folder: Callable[[str], Path], service: HostService) -> None:
    small = load_service(host_folder("qwen3"), max_rows=3)
    answers = []
    for host in (small, service):
        guide, requests = guided_batch(host)
        bank = filled_bank(host, ALL_SITES)
        answers.append(host.answer(requests, bank, temperature=1.0, max_new_tokens=guide.longest, guide=guide).tokens)
    assert answers[0] == answers[1]


def test_the_trace_holds_the_distribution_that_was_drawn_from(service: HostService) -> None:
    guide, trace = service.guide(CHAIN), TokenTrace()
    answers = service.answer(
        [Request(0, "x", guided=True)], temperature=1.0, max_new_tokens=60, trace=trace, guide=guide
    )
    flat = answers.trace
    assert flat is not None and flat.probabilities is not None
    np.testing.assert_allclose(flat.probabilities.sum(1), 1.0, atol=1e-5)
    assert flat.probabilities[0].count_nonzero() == 1  # only the opening brace
    log_probability = flat.probabilities.gather(1, flat.tokens[:, None]).log().sum()
    assert float(answers.log_probability[0]) == pytest.approx(float(log_probability), abs=1e-4)


def test_petri_writes_phrases_of_its_vocabulary_as_one_token(petri: HostService) -> None:
    guide = petri.guide([["true", "false"]])
    answers = petri.answer([Request(0, "x", guided=True)], max_new_tokens=guide.longest, guide=guide)
    assert answers.texts[0] in ("true", "false")
    assert guide.longest == 6  # letter by letter, and the end
    allowed = guide.masked(torch.zeros(1, petri.codec.stop.numel()), torch.tensor([1]))[0] == 0
    texts = petri.codec.token_texts()
    assert sorted(texts[token] for token in allowed.nonzero().squeeze(1).tolist()) == ["f", "false", "t", "true"]


def test_a_guided_request_needs_a_guide(service: HostService) -> None:
    with pytest.raises(HostError, match=r"guided but there is no guide"):
        service.answer([Request(0, "x", guided=True)])


# ---------------------------------------------------------------- vocabularies


def trained(kind: str) -> Tokenizer:
    """A small byte-pair tokenizer of the two common kinds, with tokens of many characters."""
    tokenizer = Tokenizer(models.BPE())
    if kind == "byte level":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        alphabet = sorted(set(json.dumps({"c": "any math:2.multi_step", "r": True, "f": False})) | {"▁"})
    trainer = trainers.BpeTrainer(
        vocab_size=380, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    words = sorted(words_of(CHAIN))
    tokenizer.train_from_iterator([*words, *(f"say {word} now" for word in words)] * 20, trainer)
    return tokenizer


@pytest.mark.parametrize("kind", ["byte level", "metaspace"])
def test_tokens_of_other_hosts_are_read_as_they_stand_inside_a_text(kind: str) -> None:
    tokenizer = trained(kind)
    codec = TextCodec(tokenizer, [0], tokenizer.get_vocab_size())
    texts = codec.token_texts()
    assert max(map(len, texts)) > 3 and texts[0] == ""
    if kind == "metaspace":
        assert " " in {text[:1] for text in texts}  # the space of a word is there, though decoding alone drops it
    guide = Guide(CHAIN, texts, codec.stop)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        state, written = torch.tensor([1]), []
        while not written or not codec.stop[written[-1]]:
            logits = guide.masked(torch.randn(1, len(texts), generator=generator), state)
            token = logits.argmax(-1)
            written.append(int(token))
            state = guide.after(state, token)
        assert len(written) <= guide.longest
        assert codec.decode([written])[0].strip() in words_of(CHAIN)
