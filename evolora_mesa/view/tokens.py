"""An answer as its tokens, each shaded by how unsure the host was of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import ipyvuetify
import solara
import traitlets

from evolora_mesa.view.saying import END, Token
from evolora_mesa.view.theme import Theme

__all__ = ["UNSURE", "Tokens", "shade"]

UNSURE: Final = 3.0  # nats of surprise that are shaded fully: one chance in twenty
_STRONGEST: Final = 0.6  # of the shade, so that text on it can be read
_MARK_OF_END: Final = "⏎"


class TokensWidget(ipyvuetify.VuetifyTemplate):
    """The browser's side is in ``tokens.vue``, where all text is escaped."""

    template_file = (__file__, "tokens.vue")

    tokens: traitlets.List[Any] = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)


@solara.component
def Tokens(tokens: Sequence[Token], theme: Theme, label: str = "answer") -> None:
    """The tokens in a row; each tells its probability, and what else might have stood there.

    Args:
        label: what it is, for those who do not see it.
    """
    TokensWidget.element(tokens=[_shown(token, theme) for token in tokens], label=label)


def shade(log_probability: float, colour: str) -> str:
    """The colour behind a token: ``#rrggbb`` of the theme, more of it the less likely the token was."""
    share = min(max(-log_probability / UNSURE, 0.0), 1.0)
    return f"{colour}{round(255 * _STRONGEST * share):02x}"


def _shown(token: Token, theme: Theme) -> dict[str, Any]:
    return {
        "text": _MARK_OF_END if token.ends else token.text,
        "ends": token.ends,
        "shade": shade(token.log_probability, theme.bad),
        "told": _told(token),
    }


def _told(token: Token) -> str:
    """One token in words."""
    what = END if token.ends else _quoted(token.text)
    line = (
        f"{what}: probability {math.exp(token.log_probability):.3f}, log-probability {token.log_probability:.2f} nats"
    )
    others = ", ".join(f"{_quoted(text)} {chance:.3f}" for text, chance in token.others)
    return (f"{line}; next likeliest: {others}" if others else line).replace(" -", " −")


def _quoted(text: str) -> str:
    return f"“{text}”" if text != END else text
