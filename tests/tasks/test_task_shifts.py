"""A shift of contracts: the families exchange their paid styles, and as few as possible keep their own."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.tasks import DEFAULT_STYLES, STYLES, Contracts

FAMILIES = list(DEFAULT_STYLES)
styles = st.lists(st.sampled_from(STYLES), min_size=1, max_size=12)


@given(styles, st.integers(0, 2**32))
def test_the_styles_are_the_same_ones_and_as_many_families_as_possible_have_another(
    given_styles: list[str], seed: int
) -> None:
    before = {f"family {number}": style for number, style in enumerate(given_styles)}
    after = Contracts(before).shifted(list(before), random.Random(seed))
    dealt = {family: after.style(family, 1) for family in before}
    assert Counter(dealt.values()) == Counter(before.values())
    moved = sum(dealt[family] != style for family, style in before.items())
    largest = max(Counter(given_styles).values())
    assert moved == min(len(before), 2 * (len(before) - largest))


def test_the_shipped_families_all_change_and_every_style_can_come_to_every_other_family() -> None:
    contracts = Contracts()
    seen = set()
    for seed in range(200):
        after = contracts.shifted(FAMILIES, random.Random(seed))
        seen |= {(family, after.style(family, 1)) for family in FAMILIES}
    assert seen == {(family, style) for family in FAMILIES for style in STYLES if style != DEFAULT_STYLES[family]}


def test_families_that_shared_a_style_do_not_stay_together_for_ever() -> None:
    shared = [
        after.style("math", 1) == after.style("math.multi_step", 1)
        for after in (Contracts().shifted(FAMILIES, random.Random(seed)) for seed in range(60))
    ]
    assert 0 < sum(shared) < 30


def test_single_cells_keep_their_style_and_the_old_contracts_theirs() -> None:
    before = Contracts(cell_styles={("math", 2): "ticks"})
    after = before.shifted(FAMILIES, random.Random(0))
    assert before.style("math", 1) == "work" != after.style("math", 1)
    assert after.style("math", 2) == "ticks"


def test_families_without_a_style_of_their_own_are_paid_terse_and_take_part() -> None:
    after = Contracts().shifted(["rhyme", "math"], random.Random(0))
    assert (after.style("rhyme", 1), after.style("math", 1)) == ("work", "terse")
