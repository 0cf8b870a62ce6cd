"""Colours that can be told apart and read, by day and by night."""

from __future__ import annotations

from itertools import pairwise

import pytest

from evolora_mesa.view.theme import DARK, LIGHT, Theme, theme_of


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2, in [0, 1]."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


themes = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@themes
def test_text_can_be_read(theme: Theme) -> None:
    for ground in (theme.paper, theme.card):
        assert contrast(theme.ink, ground) >= 7
        assert contrast(theme.soft, ground) >= 4.5
    assert min(contrast(theme.ink, shade) for shade in theme.ramp) >= 3


@themes
def test_curves_stand_out_from_the_card(theme: Theme) -> None:
    assert min(contrast(colour, theme.card) for colour in theme.categories) >= 2.5
    assert contrast(theme.accent, theme.card) >= 4.5


@themes
def test_ramps_go_one_way_in_brightness(theme: Theme) -> None:
    for ramp in (theme.ramp, theme.contrast):
        steps = [luminance(after) - luminance(before) for before, after in pairwise(ramp)]
        assert all(step > 0 for step in steps) or all(step < 0 for step in steps)


@themes
def test_what_begins_again_in_colour_has_another_shape(theme: Theme) -> None:
    looks = [(theme.category(number), theme.symbol(number)) for number in range(40)]
    assert len(set(looks)) == 40
    assert theme.category(-1) == theme.soft


def test_the_mode_decides() -> None:
    assert theme_of(True) is DARK and theme_of(False) is LIGHT
    assert "--card: #1a2026;" in DARK.variables() and "--c0: #4fa8e0;" in DARK.variables()
