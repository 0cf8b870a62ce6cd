"""The Classics page: a classic model to play with, drawn by what it has: ground and agents, or series alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import solara

from evolora_mesa.alife import MODELS
from evolora_mesa.view.classic import ClassicStage, stage_of
from evolora_mesa.view.controls import Buttons
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.panels.classic import GroundPanel, OverTimePanel
from evolora_mesa.view.session import Session

__all__ = ["ClassicsPage"]

_REDRAWS: Final = 5.0  # per second at most
_NOTHING: Final = "Nothing has happened yet: press Play or Step, and the curves begin."
_ROW: Final = "display: flex; flex-wrap: wrap; gap: 8px; align-items: center;"
_ABOUT: Final = {
    "NKWorld": "bit strings on rugged landscapes: genomes side by side, the fittest first",
    "HostSymbiont": "do partners become mutualists when they are inherited together?",
    "Sugarscape": "foragers on two hills of sugar, who marry, inherit and starve",
    "DigitalOrganisms": "programs that copy themselves and earn time by logic",
    "WolfSheep": "predators, prey and pasture: nothing is inherited here",
    "Boltzmann": "units change hands by lot, and inequality grows by itself",
}


@solara.component
def ClassicsPage(session: Session) -> None:
    """Choose a model; play it, step it, begin again."""
    name, choose = solara.use_state("Sugarscape")
    number, begin = solara.use_state(0)
    stage = solara.use_memo(lambda: stage_of(name, seed=number), [name, number])
    _use_listener(stage)
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]), Card("Classic models", note=_ABOUT[name]), solara.Div(style=_ROW):
            Buttons(stage, stage.status, lambda: begin(number + 1))
            solara.Select(
                "Model", value=name, values=list(MODELS), on_value=choose, dense=True, style="flex: 0 1 240px;"
            )
            solara.Text(_state(stage, number), classes=["ev-soft"])
        picture = stage.picture
        if stage.message:
            with solara.Div(classes=["ev-w12"]):
                Empty(f"The model stopped with an error: {stage.message}")
        if picture is None:
            if not stage.message:
                with solara.Div(classes=["ev-w12"]):
                    Empty("The model is loading.")
            return
        GroundPanel(picture, session.dark.value).key(name)
        OverTimePanel(picture, session.dark.value, _NOTHING).key(f"series {name}")


def _use_listener(stage: ClassicStage) -> None:
    """Redraw when something changes on the stage; give it up with the page, or for another one."""
    _, redraw = solara.use_state(0, key="drawn")

    def begin() -> Callable[[], None]:
        end = stage.listen(lambda: redraw(lambda drawn: drawn + 1), _REDRAWS)

        def over() -> None:
            end()
            stage.close()

        return over

    solara.use_effect(begin, [stage])


def _state(stage: ClassicStage, seed: int) -> str:
    picture = stage.picture
    step = "" if picture is None else f", step {picture.tick}"
    return f"{stage.status}{step}, seed {seed}"
