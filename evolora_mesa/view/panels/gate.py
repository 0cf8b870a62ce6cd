"""The gate: evidence of open trials, and the latest verdicts with their reasons."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.chart import Chart, Click
from evolora_mesa.view.charts.frame import short
from evolora_mesa.view.charts.gate import PASSED, gate_chart
from evolora_mesa.view.panels.card import Card, Empty, Shown, use_picture
from evolora_mesa.view.picture import TrialView
from evolora_mesa.view.table import Column, Row, Table
from evolora_mesa.view.theme import theme_of

__all__ = ["GatePanel", "verdict_row"]

_PAUSE: Final = 0.25  # seconds between two drawings while the world plays
_MOST_ROWS: Final = 12
_REASONS: Final = {
    "accepted": "better, and nowhere worse",
    "confined": "better, but not shown to be harmless elsewhere",
    "ungated": "the gate is switched off",
    "screen_failed": "its paid work already says no",
    "futile": "gains less than is worth looking for",
    "inferior_on_parents": "loses in a parent's own cells",
    "panel_failed": "loses one depth shallower",
    "probation_over": "not shown in time",
    "child_died": "the child died",
    "cannot_confine": "harmless elsewhere was not shown",
    "no_place": "both parents have left",
    "season": "contracts shifted",
}


@solara.component
def GatePanel(session: Shown) -> None:
    """Children on trial against their parents, on the same fresh prompts."""
    picture, dark = use_picture(session, _PAUSE), session.dark.value

    def choose(id: int) -> None:
        session.chosen.value = id

    def clicked(click: Click) -> None:
        if click["id"] is not None:
            choose(click["id"])

    open_trials = len(picture.trials) if picture is not None else 0
    with Card("Gate", note=f"open trials: {open_trials}"):
        option = gate_chart(picture, theme_of(dark)) if picture is not None else None
        if picture is None or option is None:
            Empty(
                "No child has been tried yet: the first ones are conceived when parents are old and rich enough. "
                "Let the world play on."
            )
            return
        Chart(
            option,
            on_click=clicked,
            height="260px",
            label=f"Evidence for {open_trials} children on trial in generation {picture.tick}",
        )
        if picture.verdicts:
            rows = [verdict_row(trial) for trial in reversed(picture.verdicts[-_MOST_ROWS:])]
            Table(_columns(picture.alpha), rows, on_click=choose, label="Latest verdicts", height="220px")
        else:
            Empty("No verdict yet.")


def _columns(alpha: float) -> tuple[Column, ...]:
    """Of the verdicts; the bounds of a gain are as sure as the gate is strict."""
    return (
        Column("generation", "number"),
        Column("child"),
        Column("how"),
        Column("prompts", "number"),
        Column(f"gain ({100 * (1 - alpha):g} % bounds)", "number"),
        Column("verdict"),
    )


def verdict_row(trial: TrialView) -> Row:
    """A verdict with its reason."""
    passed = trial.verdict in PASSED
    gain = f"{short(round(trial.uplift, 2))} ({short(round(trial.low, 2))} to {short(round(trial.high, 2))})"
    reason = _REASONS.get(trial.reason, trial.reason.replace("_", " "))
    how = f"{trial.kind} by {trial.operator} of {' and '.join(f'#{parent}' for parent in trial.parents)}"
    return Row(
        (
            str(trial.generation),
            f"#{trial.child}",
            how,
            str(trial.prompts),
            gain if trial.prompts else "–",
            f"{trial.verdict}: {reason}",
        ),
        id=trial.child,
        tone="good" if passed else "",
    )
