"""The inspector: one organelle from the inside."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.chart import Chart
from evolora_mesa.view.charts.frame import short
from evolora_mesa.view.charts.organelle import skills_chart, skills_height, spectrum_chart
from evolora_mesa.view.inspect import Entry, Episode, InspectedOrganelle, inspect
from evolora_mesa.view.panels.asking import use_answer
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.session import Session
from evolora_mesa.view.table import Column, Row, Table
from evolora_mesa.view.theme import theme_of

__all__ = ["OrganellePanel"]

_MOST_CHILDREN: Final = 12
_TABS: Final = ("life", "skills", "energy", "adapter", "answers")
_TRAITS: Final = {
    "budget": "share of its energy that it gives for the test of a child",
    "thrift": "multiple of the reproduction floor that it wants to own",
    "sociability": "chance to look for a partner rather than to copy itself",
    "strength": "of mutation, relative to the norm of the adapter",
}
_MOVES: Final = (
    Column("generation", "number"),
    Column("reason"),
    Column("from or to"),
    Column("energy", "number"),
)
_ANSWERS: Final = (
    Column("generation", "number"),
    Column("cell"),
    Column("prompt", "code"),
    Column("answer", "code"),
    Column("right is", "code"),
    Column("pays for"),
    Column("reward (0–1)", "number"),
    Column("tokens", "number"),
)


@solara.component
def OrganellePanel(session: Session) -> None:
    """Lineage, traits, account, skills, adapter and latest answers of the organelle that is chosen."""
    tab, set_tab = solara.use_state("life")
    chosen, picture, dark = session.chosen.value, session.picture.value, session.dark.value
    answer = use_answer(session, lambda model: None if chosen is None else inspect(model, chosen), chosen)
    found: InspectedOrganelle | None = answer.value
    title = "Organelle" if chosen is None else f"Organelle #{chosen}"
    with Card(title, note=_standing(found) if found is not None else ""):
        if chosen is None:
            Empty("Click an organelle in the grid, a trial or an elite, and you see it from the inside here.")
            return
        if answer.error:
            Empty(answer.error)
            return
        if found is None or picture is None:
            Empty("The world answers after the generation under way.")
            return
        with solara.Row(gap="8px", style="flex-wrap: wrap; margin-bottom: 8px; background: transparent;"):
            solara.ToggleButtonsSingle(tab, values=list(_TABS), on_value=set_tab, dense=True)
            solara.Button("close", on_click=lambda: session.chosen.set(None), text=True, small=True)
        if tab == "life":
            _Life(session, found)
        elif not found.alive:
            Empty(f"#{chosen} is dead: its weights are free, its account is closed. Only its life is on record.")
        elif tab == "skills":
            _Skills(found, picture.families, dark)
        elif tab == "energy":
            _Account(found)
        elif tab == "adapter":
            _Adapter(found, dark)
        else:
            _Answers(found)


def _standing(found: InspectedOrganelle) -> str:
    life = found.life
    if not found.alive:
        return f"lineage {life.lineage}, dead since generation {life.destruction} ({life.cause})"
    parts = [f"lineage {life.lineage}", f"{short(found.energy)} energy"]
    parts += ["on trial"] if found.on_trial else []
    parts += ["confined to its parents' cells"] if found.confined else []
    parts += [f"in colony {found.colony}"] if found.colony is not None else []
    return ", ".join(parts)


@solara.component
def _Life(session: Session, found: InspectedOrganelle) -> None:
    """Where it comes from and what it has left, with the kin to go on to."""
    life = found.life
    facts = [
        ("born", f"generation {life.origin}, by {life.operator}"),
        ("passed the gate", _acceptance(found)),
        *([("died", f"generation {life.destruction}: {life.cause}")] if life.destruction is not None else []),
        *((name, f"{short(value)}: {_TRAITS[name]}") for name, value in found.traits),
    ]
    Table((Column(""), Column("")), [Row(fact) for fact in facts], label=f"Life of organelle {life.id}")
    _Kin(session, "parents", list(life.parents))
    _Kin(session, "children", [id for id, _ in found.children], dict(found.children))


def _acceptance(found: InspectedOrganelle) -> str:
    life = found.life
    if life.status == "founder":
        return "a founder: never tried"
    if life.acceptance is not None:
        return f"generation {life.acceptance} ({life.status})"
    return "not yet: on trial" if found.alive else "never"


@solara.component
def _Kin(session: Session, title: str, ids: list[int], fates: dict[int, str] | None = None) -> None:
    """Relatives as buttons, the latest of many."""
    with solara.Row(gap="4px", style="flex-wrap: wrap; align-items: center; margin-top: 8px; background: transparent;"):
        solara.Text(title if ids else f"no {title}", classes=["ev-soft"])
        for id in ids[-_MOST_CHILDREN:]:
            label = f"#{id}" + (f" {fates[id]}" if fates else "")
            solara.Button(label, on_click=lambda id=id: session.chosen.set(id), text=True, small=True)
        if len(ids) > _MOST_CHILDREN:
            solara.Text(f"and {len(ids) - _MOST_CHILDREN} earlier", classes=["ev-soft"])


@solara.component
def _Skills(found: InspectedOrganelle, families: tuple[str, ...], dark: bool) -> None:
    option = skills_chart(found.skills, families, theme_of(dark))
    if option is None:
        Empty("It has not worked yet, so nothing is known of its skills: let the world play on.")
    else:
        label = f"Success of organelle {found.life.id} by cell, with intervals"
        Chart(option, height=skills_height(found.skills), label=label)


@solara.component
def _Account(found: InspectedOrganelle) -> None:
    if not found.entries:
        Empty("Nothing has come or gone since this page looks on: step the world once.")
        return
    Table(_MOVES, [_entry_row(entry) for entry in found.entries], label="Last transfers", height="320px")


def _entry_row(entry: Entry) -> Row:
    amount = f"{entry.amount:+.3f}".replace("-", "−")
    return Row((str(entry.generation), entry.reason, entry.other, amount), tone="good" if entry.amount > 0 else "")


@solara.component
def _Adapter(found: InspectedOrganelle, dark: bool) -> None:
    option = spectrum_chart(found.spectra, theme_of(dark))
    if option is None:
        Empty("Its adapter changes nothing yet: it answers as the frozen host does until it has learned.")
    else:
        Chart(option, height="280px", label=f"Singular values of the adapter of organelle {found.life.id}")


@solara.component
def _Answers(found: InspectedOrganelle) -> None:
    if not found.episodes:
        Empty("It has answered nothing since this page looks on: step the world once.")
        return
    rows = [_episode_row(episode) for episode in found.episodes]
    Table(_ANSWERS, rows, label="Last answers", height="420px")


def _episode_row(episode: Episode) -> Row:
    stand_in = " (another adapter answered)" if episode.stand_in else ""
    return Row(
        (
            str(episode.generation),
            f"{episode.family}, depth {episode.depth}{stand_in}",
            episode.prompt,
            episode.answer,
            episode.target,
            episode.style,
            f"{episode.reward:.2f}",
            str(episode.tokens),
        ),
        tone="good" if episode.success else "bad",
    )
