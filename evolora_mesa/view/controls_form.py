"""The form of the next world: which one, its seed, and every setting that is a number, a switch or a choice."""

from __future__ import annotations

import secrets
from bisect import bisect_left
from typing import Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.configfile import load_config, shipped_configs
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
    opened, open_ = solara.use_state("")
    wanted, look_for = solara.use_state("")
    base, changes = session.base.value, session.changes.value
    usual = solara.use_memo(lambda: load_config(session.preset()), [base])
    shown = parameters()
    words = wanted.lower().split()
    with solara.Div(classes=["ev-card", "ev-side"]):
        with solara.Div(classes=["ev-buttons"]):
            v.Html(tag="h2", children=["The next world"])
            v.Html(tag="span", class_="ev-gap")
            _unchanged(session, len(changes))
        v.Html(tag="small", children=["Sliders and choices act on Reset."])
        v.Select(
            label="Preset",
            v_model=base,
            items=list(dict.fromkeys((session.given.name, *shipped_configs()))),
            on_v_model=session.start_from,
            dense=True,
            outlined=True,
            hide_details=True,
        )
        _Seed(session, usual.seed)
        solara.InputText("Find a setting", value=wanted, on_value=look_for, continuous_update=True, dense=True)
        if words:
            found = [p for p in shown if all(word in f"{p.name} {p.section} {p.help}".lower() for word in words)]
            if not found:
                solara.Text("No setting has these words in its name or help. Try another one.", classes=["ev-soft"])
            with solara.Div(classes=["ev-rows"]):
                for parameter in found[:_MOST_FOUND]:
                    _Row(session, parameter, value_of(usual, parameter.name), changes.get(parameter.name), True)
                if len(found) > _MOST_FOUND:
                    solara.Text(f"… and {len(found) - _MOST_FOUND} more: add a word.", classes=["ev-soft"])
            return
        with solara.Div():
            for section in ("often changed", *dict.fromkeys(p.section for p in shown)):
                first = section == "often changed"
                inside = [p for p in shown if (p.name in _FIRST if first else p.section == section)]
                changed = sum(p.name in changes for p in inside)
                with solara.Div(classes=["ev-fold"]):
                    is_open = opened == section
                    solara.Button(
                        section + (f" ({changed} changed)" if changed else ""),
                        icon_name="mdi-chevron-down" if is_open else "mdi-chevron-right",
                        text=True,
                        classes=["ev-changed"] if changed else [],
                        attributes={"aria-expanded": str(is_open).lower()},
                        on_click=lambda section=section, is_open=is_open: open_("" if is_open else section),  # type: ignore[misc]
                    )
                    if is_open:
                        with solara.Div(classes=["ev-rows"]):
                            for parameter in inside:
                                usually = value_of(usual, parameter.name)
                                _Row(session, parameter, usually, changes.get(parameter.name), first)


def _unchanged(session: Session, changed: int) -> None:
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
            solara.InputText(
                label, value=show_value(value), on_value=read, error=wrong, suffix=unit, dense=True
            )
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
        v.Html(tag="small", children=[parameter.help])
        if changed is not None:
            solara.Button(f"Back to {show_value(usual)}", text=True, x_small=True, on_click=lambda: take(usual))
