"""The embedded host's tokenizer loses nothing of a prompt or an answer, in plain transformers too."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from evolora_mesa.petri.tokenizer import BOS, EOS, HEDGE, PAD, build_tokenizer, save_tokenizer, vocabulary
from evolora_mesa.tasks import ANSWER_CUE, ARROW, SENTENCE_OPENING, SHIPPED, STYLES, write_answer

TOKENIZER = build_tokenizer()
PRINTABLE = "\n" + "".join(sorted(set(string.printable) - set("\t\r\x0b\x0c\n")))


def texts_of(family: str) -> list[str]:
    """Prompts of all depths with their right and nearly right answers in all styles."""
    rng, texts = random.Random(family), []
    for depth in range(1, 7):
        for _ in range(15):
            task = SHIPPED[family].generate(rng, depth)
            answers = [write_answer(s, c, task.scratch) for s in STYLES for c in (task.target, task.near_miss)]
            texts += [task.prompt, *answers, task.prompt + answers[0]]
    return texts


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", SHIPPED)
def test_prompts_and_answers_come_back_as_they_went_in(tokenizer: Tokenizer, family: str) -> None:
    for text in [*texts_of(family), HEDGE]:
        ids = tokenizer.encode(text).ids
        assert ids[0] == BOS
        assert tokenizer.decode(ids) == text
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids[1:]


@pytest.mark.parametrize("family", SHIPPED)
def test_the_saved_folder_gives_the_same_ids_and_the_same_text(
    tokenizer: Tokenizer, loaded: PreTrainedTokenizerBase, family: str
) -> None:
    texts = texts_of(family)
    ours = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    assert loaded(texts)["input_ids"] == ours
    assert loaded.batch_decode(ours, skip_special_tokens=True) == texts


def test_the_saved_folder_knows_the_special_tokens(loaded: PreTrainedTokenizerBase) -> None:
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (PAD, BOS, EOS)
    assert loaded.is_fast
    assert len(loaded) == len(vocabulary())


def test_the_saved_folder_pads_on_the_left_so_that_generation_starts_behind_the_prompt(
    loaded: PreTrainedTokenizerBase,
) -> None:
    short, _ = loaded(["ab", "abcd"], padding=True)["input_ids"]
    assert short[:3] == [PAD, PAD, BOS]


def test_saving_twice_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_tokenizer(tmp_path / name)
    written = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert written[0] == written[1]
    assert "tokenizer.json" in written[0]


@pytest.mark.parametrize("family", SHIPPED)
def test_the_wording_and_the_cue_around_a_question_cost_one_token_each(tokenizer: Tokenizer, family: str) -> None:
    for template in SHIPPED[family].templates:
        ids = tokenizer.encode(f"{template} x{ANSWER_CUE}").ids
        assert len(ids) == len(["<bos>", template, " ", "x", ANSWER_CUE])


@pytest.mark.parametrize("phrase", [ANSWER_CUE, SENTENCE_OPENING, ARROW, HEDGE, "true", "false"])
def test_a_phrase_of_every_answer_is_one_token(tokenizer: Tokenizer, phrase: str) -> None:
    assert len(tokenizer.encode(phrase, add_special_tokens=False).ids) == 1


def test_the_vocabulary_is_unique_and_of_a_round_size(tokenizer: Tokenizer) -> None:
    tokens = vocabulary()
    assert len(set(tokens)) == len(tokens) == tokenizer.get_vocab_size()
    assert len(tokens) % 16 == 0
    assert [tokenizer.token_to_id(token) for token in tokens] == list(range(len(tokens)))
    assert [tokens[place] for place in (PAD, BOS, EOS)] == ["<pad>", "<bos>", "<eos>"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=PRINTABLE, max_size=40))
def test_any_printable_text_comes_back(text: str) -> None:
    if not any(token in text for token in vocabulary() if token.startswith("<") and len(token) > 1):
        assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_foreign_characters_are_unknown_but_never_an_error(text: str) -> None:
    ids = TOKENIZER.encode(text).ids
    assert ids[0] == BOS
    assert all(0 <= token < len(vocabulary()) for token in ids)


def test_two_neighbouring_phrases_stay_two_tokens(tokenizer: Tokenizer) -> None:
    for text in (
        "not not true",
        "true and not false",
        "(true or false) and true",
        f"{ARROW}{ARROW}",
        "untrue",
        "=>",
    ):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
