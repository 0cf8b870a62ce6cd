"""Colours of the app, by day and by night; every palette can be told apart by eyes that see fewer colours.

Categories are those of M. Okabe and K. Ito, "Color universal design" (2008), lightened by night, as in our reports.
Values are shown by ramps that rise evenly in brightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DARK", "LIGHT", "SYMBOLS", "Theme", "theme_of"]

SYMBOLS: Final = ("circle", "rect", "triangle", "diamond", "pin", "arrow")  # for more kinds than there are colours


@dataclass(frozen=True)
class Theme:
    """The colours of one mode, as CSS.

    Attributes:
        paper, card: behind everything, and behind a panel.
        ink, soft: text, and text that steps back.
        faint, rule: fillings and lines that hardly show.
        accent: the one colour of what can be clicked or is chosen.
        good, bad: verdicts.
        categories: kinds, lineages and curves, in this order.
        ramp: from little to much, next to grey, so that the colours of marks on top of it stay theirs.
        contrast: from little to much, for maps without marks.
    """

    dark: bool
    paper: str
    card: str
    ink: str
    soft: str
    faint: str
    rule: str
    accent: str
    good: str
    bad: str
    categories: tuple[str, ...]
    ramp: tuple[str, ...]
    contrast: tuple[str, ...]

    def category(self, number: int) -> str:
        """The colour of the n-th kind; after the last they begin again. Negative numbers are none: grey."""
        return self.soft if number < 0 else self.categories[number % len(self.categories)]

    def symbol(self, number: int) -> str:
        """The shape of the n-th kind: another one each time that the colours begin again."""
        return SYMBOLS[max(number, 0) // len(self.categories) % len(SYMBOLS)]

    def variables(self) -> str:
        """Declarations of CSS variables, ``--paper`` and so on, ``--c0`` and so on."""
        names = ("paper", "card", "ink", "soft", "faint", "rule", "accent", "good", "bad")
        plain = [f"--{name}: {getattr(self, name)};" for name in names]
        return " ".join([*plain, *(f"--c{place}: {colour};" for place, colour in enumerate(self.categories))])


LIGHT: Final = Theme(
    dark=False,
    paper="#f6f5f1",
    card="#ffffff",
    ink="#1d2328",
    soft="#5a646d",
    faint="#eceae4",
    rule="#cfccc3",
    accent="#0072b2",
    good="#00805d",
    bad="#c14f00",
    categories=("#0072b2", "#d98c00", "#00805d", "#d55e00", "#b5588f", "#3f9fd8", "#8a7a00", "#50575d"),
    ramp=("#f6f6f3", "#e6eaea", "#d3dbdd", "#bcc9cd", "#a3b4bb", "#889da7", "#6c8592"),
    contrast=("#fde725", "#addc30", "#5ec962", "#28ae80", "#21918c", "#2c728e", "#3b528b", "#472d7b", "#440154"),
)

DARK: Final = Theme(
    dark=True,
    paper="#12161a",
    card="#1a2026",
    ink="#e6e9ec",
    soft="#9aa5af",
    faint="#262e35",
    rule="#3b454e",
    accent="#4fa8e0",
    good="#3fc79a",
    bad="#f58a4b",
    categories=("#4fa8e0", "#f0b040", "#3fc79a", "#f58a4b", "#e08fbf", "#8fd0f5", "#d6c84a", "#b4bcc4"),
    ramp=("#20272d", "#2a333a", "#343f47", "#3f4c56", "#4b5a65", "#586975", "#667985"),
    contrast=("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
)


def theme_of(dark: bool) -> Theme:
    """The theme of a mode."""
    return DARK if dark else LIGHT
