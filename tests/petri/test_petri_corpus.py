"""What the embedded host learns from: live prompts only, every style, mistakes at the rates of the recipe.

All counts come from fixed seeds; the bounds are four and a half standard deviations of a fair draw.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from typing import NamedTuple

import pytest
import torch
from tokenizers import Tokenizer

from evolora_mesa.petri.corpus import Batch, batches, style_preferences
from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.tokenizer import BOS, EOS, HEDGE, PAD
from evolora_mesa.tasks import DEFAULT_STYLES, SHIPPED, STYLES, Pool, pool_of, read_answer
from tests.tasks.task_oracle import answer_of, family_and_template, question_of

RECIPE = HostRecipe(batch_size=64)
_BATCHES = 160
_DEVIATIONS = 4.5


class Example(NamedTuple):
    prompt: str
    answer: str
    family: str
    template: int


def read_row(ids: list[int], weights: list[float], tokenizer: Tokenizer) -> tuple[str, str]:
    """Prompt and answer of one row: the answer is what the loss counts in full."""
    first = weights.index(1.0) + 1
    return tokenizer.decode(ids[:first]), tokenizer.decode(ids[first : ids.index(EOS)])


@pytest.fixture(scope="module")
def drawn(tokenizer: Tokenizer) -> list[Batch]:
    return list(itertools.islice(batches(RECIPE, tokenizer), _BATCHES))


@pytest.fixture(scope="module")
def examples(drawn: list[Batch], tokenizer: Tokenizer) -> list[Example]:
    rows = [
        read_row(ids, weights, tokenizer)
        for batch in drawn
        for ids, weights in zip(batch.ids.tolist(), batch.weights.tolist(), strict=True)
    ]
    return [Example(prompt, answer, *family_and_template(prompt)) for prompt, answer in rows]


def is_fair(hits: int, draws: int, share: float) -> bool:
    return abs(hits - draws * share) <= _DEVIATIONS * math.sqrt(draws * share * (1 - share)) + 1


def test_every_prompt_is_a_live_one(examples: list[Example]) -> None:
    assert len(examples) == RECIPE.batch_size * _BATCHES
    assert {pool_of(example.prompt) for example in examples} == {Pool.LIVE}


def test_a_row_is_bos_prompt_answer_eos_and_padding(drawn: list[Batch]) -> None:
    for batch in drawn[:40]:
        assert batch.ids.dtype == torch.int64
        assert batch.weights.shape == (batch.ids.shape[0], batch.ids.shape[1] - 1)
        for ids in batch.ids.tolist():
            end = ids.index(EOS)
            assert ids[0] == BOS
            assert set(ids[end + 1 :]) <= {PAD}
            assert not {PAD, BOS, EOS} & set(ids[1:end])


def test_the_loss_counts_answers_fully_prompts_a_little_and_padding_not_at_all(drawn: list[Batch]) -> None:
    prompt_weight = pytest.approx(RECIPE.prompt_weight)
    for batch in drawn[:40]:
        for ids, weights in zip(batch.ids.tolist(), batch.weights.tolist(), strict=True):
            first, end = weights.index(1.0), ids.index(EOS)
            assert all(weight == prompt_weight for weight in weights[:first])
            assert set(weights[first:end]) == {1.0}
            assert set(weights[end:]) <= {0.0}


def test_little_of_a_batch_is_padding(drawn: list[Batch]) -> None:
    padding = sum(int((batch.ids == PAD).sum()) for batch in drawn)
    assert padding / sum(batch.ids.numel() for batch in drawn) < 0.1


def test_all_families_are_asked_equally_often(examples: list[Example]) -> None:
    counted = Counter(example.family for example in examples)
    assert all(is_fair(counted[family], len(examples), 1 / len(SHIPPED)) for family in SHIPPED), counted


def test_depths_come_at_the_rates_of_the_recipe(examples: list[Example]) -> None:
    """Where the depth can be read off the question."""
    measures = {
        "string.ops": lambda question: (len(question) - 2) // 3,
        "string.sort": lambda question: (len(question) - 2) // 3,
        "code.format": lambda question: question.count("_"),
    }
    depths = Counter(measures[e.family](question_of(e.prompt)) for e in examples if e.family in measures)
    assert set(depths) == {1, 2, 3, 4}
    for depth, share in enumerate(RECIPE.depth_weights, start=1):
        assert is_fair(depths[depth], depths.total(), share), depths


def test_refusals_come_at_the_rate_of_the_recipe(examples: list[Example]) -> None:
    mean_depth = sum(depth * share for depth, share in enumerate(RECIPE.depth_weights, start=1))
    hedged = sum(example.answer == HEDGE for example in examples)
    assert is_fair(hedged, len(examples), RECIPE.hedge * mean_depth)


def test_deeper_questions_are_refused_more_often(examples: list[Example]) -> None:
    """Per unit of depth: at depth 4 four times as often as at depth 1."""
    lengths = defaultdict(list)
    for example in examples:
        if example.family in ("string.ops", "string.sort"):
            lengths[(len(question_of(example.prompt)) - 2) // 3].append(example.answer == HEDGE)
    for depth, refusals in lengths.items():
        assert is_fair(sum(refusals), len(refusals), RECIPE.hedge * depth), depth


def test_near_misses_come_at_the_rate_of_the_recipe_and_all_else_is_right(examples: list[Example]) -> None:
    answered = [example for example in examples if example.answer != HEDGE]
    wrong = [e for e in answered if read_answer(e.answer)[1] != answer_of(e.prompt)]
    assert is_fair(len(wrong), len(answered), RECIPE.near_miss)
    by_family = Counter(example.family for example in wrong)
    assert all(by_family[family] for family in SHIPPED)


def test_every_wording_shows_all_five_styles_at_its_own_rates(examples: list[Example]) -> None:
    preferences = style_preferences()
    styles: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for example in examples:
        if example.answer != HEDGE:
            styles[example.family, example.template][read_answer(example.answer)[0]] += 1
    assert len(styles) == 27
    for (family, template), counted in styles.items():
        for style, share in zip(STYLES, preferences[family][template], strict=True):
            assert counted[style] > 0
            assert is_fair(counted[style], counted.total(), share), (family, template, style)


@pytest.mark.parametrize("family", SHIPPED)
def test_one_wording_prefers_the_paid_style_and_another_clearly_does_not(family: str) -> None:
    rows, paid = style_preferences()[family], STYLES.index(DEFAULT_STYLES[family])
    assert len(rows) == len(SHIPPED[family].templates)
    assert all(sum(row) == pytest.approx(1) and min(row) > 0 for row in rows)
    shares = sorted(row[paid] for row in rows)
    assert shares[0] < 0.2
    assert shares[-1] > 0.5
    rivals = [STYLES[row.index(max(row))] for row in rows if row[paid] < max(row)]
    assert rivals
    assert len(set(rivals)) == len(rivals)


def test_the_place_of_a_wording_does_not_give_the_contract_away() -> None:
    places = set()
    for family, rows in style_preferences().items():
        shares = [row[STYLES.index(DEFAULT_STYLES[family])] for row in rows]
        places.add(shares.index(max(shares)))
    assert len(places) > 1


def test_one_seed_is_one_corpus_and_another_seed_another(tokenizer: Tokenizer, tiny_recipe: HostRecipe) -> None:
    def opening(seed: int) -> list[list[list[int]]]:
        stream = batches(tiny_recipe.model_copy(update={"seed": seed}), tokenizer)
        return [batch.ids.tolist() for batch in itertools.islice(stream, 40)]

    first = opening(0)
    assert opening(0) == first
    assert opening(1) != first


@pytest.mark.parametrize(("near_miss", "hedge"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_rates_of_nothing_and_of_everything_are_kept(tokenizer: Tokenizer, near_miss: float, hedge: float) -> None:
    recipe = HostRecipe(batch_size=32, near_miss=near_miss, hedge=hedge)
    for batch in itertools.islice(batches(recipe, tokenizer), 4):
        for ids, weights in zip(batch.ids.tolist(), batch.weights.tolist(), strict=True):
            prompt, answer = read_row(ids, weights, tokenizer)
            right = answer != HEDGE and read_answer(answer)[1] == answer_of(prompt)
            assert (answer == HEDGE) == (hedge == 1.0)
            assert right == (near_miss == hedge == 0.0)
