"""The Lineage page: who descends from whom, who merged with whom, and who is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.errors import EvoloraError
from evolora_mesa.view.chart import Chart, Click
from evolora_mesa.view.charts.lineage import family_tree, height_of, told
from evolora_mesa.view.lineage import Family, Moment, family_of, lay_out, moment
from evolora_mesa.view.panels.card import Empty
from evolora_mesa.view.session import Session
from evolora_mesa.view.theme import theme_of

if TYPE_CHECKING:
    from evolora_mesa.view.session import WorldStage

__all__ = ["FamilyTree", "LineagePage"]

_STYLE: Final = Path(__file__).with_name("lineage.css").read_text(encoding="utf-8")
_REDRAWS: Final = 2.0  # per second, at most: the whole book is copied for one
_KEY: Final = (
    "A line is a life, a mark its birth. Faded: left nobody alive. Dotted and hollow: on trial. Dashed: from the other "
    "parent of a merge. Slanted: from a dead parent, through the archive. Bold: the chosen one and its ancestors."
)
_LEFT_OUT: Final = (
    "lives are not drawn, for want of room: the living, their ancestors and whoever was born last go first."
)
_LOADING: Final = "The world is loading; its founders will stand here."
_NOBODY: Final = "There is no world to show: change a setting on the World page and press Reset."
_MOST_KIN: Final = 12  # buttons


@solara.component
def LineagePage(session: Session) -> None:
    """The family tree of the world that is shown."""
    stage = session.stage.value
    with solara.Div():
        # With a world goes its page, and whatever that one says too late.
        _Living(session, stage).key(f"family {id(stage)}")


@solara.component
def _Living(session: Session, stage: WorldStage) -> None:
    """The family tree of one world."""
    family = _use_family(stage)
    with solara.Div():
        if family is None:
            Empty(_NOBODY if session.status.value == "failed" else _LOADING)
        else:
            FamilyTree(family, dark=session.dark.value, chosen=session.chosen.value, on_choose=session.chosen.set)


def _use_family(stage: WorldStage) -> Family | None:
    """The family of a world that lives, kept up to date."""
    held: solara.Reactive[Family | None] = solara.use_reactive(None)

    def look() -> None:
        try:
            held.value = stage.ask(family_of).result()
        except EvoloraError:  # the world has gone; the page that shows the next one asks that
            return

    solara.use_effect(lambda: stage.listen(look, _REDRAWS), [stage])
    return held.value


@solara.component
def FamilyTree(
    family: Family,
    *,
    dark: bool = False,
    chosen: int | None = None,
    on_choose: Callable[[int | None], None] | None = None,
    given: int | None = None,
) -> None:
    """A family with its time slider; of a world that lives or of one on record.

    Args:
        chosen: id of the organelle that stands out.
        on_choose: called with the id of one that was clicked.
        given: the generation to show, where a page has a slider of its own; then there is none here.
    """
    until: solara.Reactive[int | None] = solara.use_reactive(None)  # `None` follows the latest generation
    everybody = solara.use_reactive(False)
    tree = solara.use_memo(lambda: lay_out(family, everybody=everybody.value), [family, everybody.value])
    wanted = until.value if given is None else given
    at = family.last if wanted is None else min(wanted, family.last)
    now = solara.use_memo(lambda: moment(family.records, at), [family, at])
    option = solara.use_memo(
        lambda: family_tree(tree, now, theme_of(dark), last=family.last, chosen=chosen),
        [tree, now, dark, chosen],
    )

    def slide(generation: int) -> None:
        until.value = None if generation >= family.last else generation

    def choose(click: Click) -> None:
        if on_choose is not None and click.get("id") is not None:
            on_choose(int(click["id"]))

    moment_name = f"As of generation {at} of {family.last}"
    with solara.Div(classes=["ev-card"]):
        solara.Style(_STYLE)
        with solara.Div(classes=["ev-tree-bar"]):
            if given is None:
                solara.SliderInt(moment_name, value=at, on_value=slide, max=max(family.last, 1))
            else:
                solara.Text(moment_name)
            solara.Switch(label="Show those who never passed", value=everybody)
        _census(now)
        if option is None:
            Empty("Nobody had been born yet: move the slider to a later generation.")
        else:
            label = f"Family tree. {moment_name}: {now.living} of {len(now.records)} born are alive"
            Chart(option, on_click=choose, height=height_of(tree), label=label)
        if tree.left_out:
            v.Html(tag="small", children=[f"{tree.left_out} {_LEFT_OUT} "])
        v.Html(tag="small", children=[_KEY])
        _Chosen(now, chosen, on_choose)


def _census(now: Moment) -> None:
    """The counts of a moment."""
    counts = now.census
    lineages = len({record.lineage for record in now.records.values() if record.alive})
    with solara.Div(classes=["ev-census"]):
        _fact("alive", f"{now.living}", f" ({now.on_trial} on trial)" if now.on_trial else "")
        _fact("births", f"{counts.births}")
        _fact("merges accepted", f"{counts.merges}")
        _fact("mutants accepted", f"{counts.promotions}")
        _fact("from the archive", f"{counts.revivals}")
        _fact("deaths", f"{counts.deaths}")
        _fact("lineages alive", f"{lineages} of {counts.founders}")
        _fact("longest descent", f"{counts.depth}", " births")


def _fact(name: str, value: str, more: str = "") -> None:
    v.Html(tag="span", children=[f"{name} ", v.Html(tag="b", children=[value]), more])


@solara.component
def _Chosen(now: Moment, chosen: int | None, on_choose: Callable[[int | None], None] | None) -> None:
    """The life of the chosen one, with a way to its kin."""
    record = now.records.get(chosen) if chosen is not None else None
    if record is None:
        text = "Click a life to read it here." if chosen is None else f"Organelle #{chosen} had not been born yet."
        solara.Div(classes=["ev-kin", "ev-soft"], children=[text])
        return
    children = [other.id for other in now.records.values() if record.id in other.parents]
    with solara.Div(classes=["ev-kin"]):
        v.Html(tag="span", class_="ev-life", children=[told(record)])
        _kin("Parents", [*dict.fromkeys(record.parents)], on_choose)
        _kin("Children", children, on_choose)
        if on_choose is not None:
            solara.Button("Clear", text=True, on_click=lambda: on_choose(None))


def _kin(name: str, ids: list[int], on_choose: Callable[[int | None], None] | None) -> None:
    """Buttons that lead to relatives."""
    if not ids or on_choose is None:
        return
    shown = ids[-_MOST_KIN:]
    more = f" (latest {len(shown)} of {len(ids)})" if len(shown) < len(ids) else ""
    solara.Text(f"{name}{more}:", classes=["ev-soft"])
    for id in shown:
        solara.Button(f"#{id}", on_click=lambda id=id: on_choose(id))  # type: ignore[misc]
