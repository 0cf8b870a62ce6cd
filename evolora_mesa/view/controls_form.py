"""The form of the next world: which one, its seed, and every setting that is a number, a switch or a choice."""

from __future__ import annotations

import secrets
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.view.parameters import (
    Parameter,
    Value,
    parameters,
    read_value,
    show_value,
    stops,
    value_of,
)
from evolora_mesa.view.session import Session

__all__ = ["Settings"]

_OFTEN: Final = "often changed"
_FIRST: Final = (  # what a newcomer turns first
    "population.initial",
    "population.episodes",
    "economy.inflow",
    "economy.ticket",
    "tasks.depths",
    "plasticity.rule",
    "plasticity.learning_rate",
    "reproduction.merging",
    "gate.enabled",
    "host.temperature",
)
_MOST_FOUND: Final = 24
_LONGEST_UNIT: Final = 14  # characters beside a number
_MOST_SEED: Final = 2**31


@solara.component
def Settings(session: Session) -> None:
    """The whole form. Nothing in it touches the world that is there: it all acts on Reset."""
    wanted, look_for = solara.use_state("")
    base = session.base.value
    usual = solara.use_memo(lambda: load_config(session.preset()), [base])
    with solara.Div(classes=["ev-card", "ev-side"]):
        with solara.Div(classes=["ev-buttons"]):
            v.Html(tag="h2", children=["The next world"])
            v.Html(tag="span", class_="ev-gap")
            _undo(session)
        v.Html(tag="small", children=["Sliders and choices act on Reset."])
        v.Select(
            label="Preset",
            v_model=base,
            items=list(session.presets()),
            on_v_model=session.start_from,
            dense=True,
            outlined=True,
            hide_details=True,
        )
        _Seed(session, usual.seed)
        solara.InputText("Find a setting", value=wanted, on_value=look_for, continuous_update=True, dense=True)
        if wanted.strip():
            _Found(session, usual, wanted.lower().split())
        else:
            _Sections(session, usual)


@solara.component
def _Found(session: Session, usual: WorldConfig, words: list[str]) -> None:
    """Settings in which all of the words occur."""
    found = [p for p in parameters() if all(word in f"{p.name} {p.section} {p.help}".lower() for word in words)]
    if not found:
        solara.Text("No setting has these words in its name or help. Try another one.", classes=["ev-soft"])
    _rows(session, usual, found[:_MOST_FOUND], full_names=True)
    if len(found) > _MOST_FOUND:
        solara.Text(f"… and {len(found) - _MOST_FOUND} more: add a word.", classes=["ev-soft"])


@solara.component
def _Sections(session: Session, usual: WorldConfig) -> None:
    """All settings by section. One section is open at a time: a browser takes seconds to draw them all."""
    opened, open_ = solara.use_state("")
    by_name = {parameter.name: parameter for parameter in parameters()}
    sections = {_OFTEN: [by_name[name] for name in _FIRST]}
    for parameter in parameters():
        sections.setdefault(parameter.section, []).append(parameter)
    with solara.Div():
        for section, inside in sections.items():
            changed = sum(parameter.name in session.changes.value for parameter in inside)
            is_open = opened == section
            with solara.Div(classes=["ev-fold"]):
                solara.Button(
                    section + (f" ({changed} changed)" if changed else ""),
                    icon_name="mdi-chevron-down" if is_open else "mdi-chevron-right",
                    text=True,
                    classes=["ev-changed"] if changed else [],
                    attributes={"aria-expanded": str(is_open).lower()},
                    on_click=partial(open_, "" if is_open else section),
                )
                if is_open:
                    _rows(session, usual, inside, full_names=section == _OFTEN)


def _rows(session: Session, usual: WorldConfig, shown: Sequence[Parameter], *, full_names: bool) -> None:
    with solara.Div(classes=["ev-rows"]):
        for parameter in shown:
            changed = session.changes.value.get(parameter.name)
            _Row(session, parameter, value_of(usual, parameter.name), changed, full_names)


def _undo(session: Session) -> None:
    changed = len(session.changes.value)
    if changed:
        solara.Button(
            f"Undo {changed} change{'s' if changed > 1 else ''}",
            text=True,
            small=True,
            on_click=lambda: session.changes.set({}),
        )


@solara.component
def _Seed(session: Session, usual: int) -> None:
    """The seed, and another one by chance."""
    seed = session.changes.value.get("seed", usual)
    wrong, complain = solara.use_state("")

    def take(text: str) -> None:
        good = text.strip().isdecimal() and int(text) < 2**63
        complain("" if good else "A seed is a whole number from 0.")
        if good:
            session.change("seed", int(text), usual)

    with solara.Div(classes=["ev-buttons"]):
        solara.InputText("Seed", value=str(seed), on_value=take, error=wrong, dense=True)
        solara.Button("Another", on_click=lambda: session.change("seed", secrets.randbelow(_MOST_SEED), usual))


@solara.component
def _Row(session: Session, parameter: Parameter, usual: Value, changed: Value | None, full_name: bool) -> None:
    """One setting: name, value, and what it means. A changed one is marked and can be put back."""
    value = usual if changed is None else changed
    wrong, complain = solara.use_state("")

    def take(new: Value) -> None:
        complain("")
        session.change(parameter.name, new, usual)

    def read(text: str) -> None:
        try:
            take(read_value(parameter, text))
        except ConfigError as error:
            complain(str(error))

    label = parameter.name if full_name else parameter.label
    unit = parameter.unit if len(parameter.unit) <= _LONGEST_UNIT else None  # the help has it too
    with solara.Div(classes=["ev-row", *(["ev-changed"] if changed is not None else [])]):
        if parameter.kind == "switch":
            v.Switch(label=label, v_model=bool(value), on_v_model=take, dense=True, hide_details=True, inset=True)
        elif parameter.kind == "choice":
            items = list(parameter.choices)
            v.Select(label=label, v_model=value, items=items, on_v_model=take, dense=True, hide_details=True)
        else:
            solara.InputText(label, value=show_value(value), on_value=read, error=wrong, suffix=unit, dense=True)
            halts = stops(parameter, float(usual))
            v.Slider(
                v_model=min(bisect_left(halts, float(value)), len(halts) - 1),
                on_v_model=lambda place: take(halts[place]),
                min=0,
                max=len(halts) - 1,
                step=1,
                dense=True,
                hide_details=True,
                attributes={"aria-label": parameter.name},
            )
        v.Html(tag="small", children=[parameter.help[:1].upper() + parameter.help[1:]])
        if changed is not None:
            solara.Button(f"Back to {show_value(usual)}", text=True, x_small=True, on_click=lambda: take(usual))
