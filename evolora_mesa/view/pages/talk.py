"""The Talk page: ask, and see what the frozen host and those who live on it answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

import reacton.ipyvuetify as v
import solara
import solara.lab

from evolora_mesa.tasks import Task
from evolora_mesa.view.panels.card import Empty
from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import in_one_line
from evolora_mesa.view.talk import Conversation, Reply, converse
from evolora_mesa.view.theme import Theme, theme_of
from evolora_mesa.view.tokens import UNSURE, Tokens, shade
from evolora_mesa.view.wish import Wish, draw, prompt_of, question_of

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.view.session import WorldStage

__all__ = ["TalkPage"]

Answer = TypeVar("Answer")

_STYLE: Final = Path(__file__).with_name("talk.css").read_text(encoding="utf-8")
_TEMPERATURES: Final = {"greedy": 0.0, "0.3": 0.3, "0.7": 0.7, "1.0": 1.0, "1.5": 1.5}
_LOADING: Final = "The world is loading; then you can talk to it."
_NOBODY: Final = "There is nobody to talk to: change a setting on the World page and press Reset."
_SOON: Final = "The answers are on their way."
_WELCOME: Final = "Draw a prompt from a cell, or type one, and press Ask: all answers will stand here side by side."


@solara.component
def TalkPage(session: Session) -> None:
    """Ask the world that is shown. What was said belongs to that world, and goes with it."""
    stage, status = session.stage.value, session.status.value
    with solara.Div():
        solara.Style(_STYLE)
        if stage.picture is None:
            Empty(_NOBODY if status == "failed" else _LOADING)
        else:
            _Talk(session, stage).key(f"talk {id(stage)}")


@solara.component
def _Talk(session: Session, stage: WorldStage) -> None:
    """Question and answers of one world."""
    wish: solara.Reactive[Wish | None] = solara.use_reactive(None)

    def answer() -> _Heard[Conversation]:
        return _Heard() if wish.value is None else _ask(stage, partial(converse, wish=wish.value))

    answering = solara.lab.use_task(answer, dependencies=[wish.value])
    said, trouble = answering.latest or _Heard()
    with solara.Div():
        _Asking(session, stage, wish.set, answering.pending and wish.value is not None)
        if trouble:
            _Trouble(trouble)
        elif said is None:
            Empty(_WELCOME if wish.value is None else _SOON)
        else:
            with solara.Div(classes=["ev-asking"] if answering.pending else []):
                _Answers(said, theme_of(session.dark.value))


# ---------------------------------------------------------------- asking


class _Heard(NamedTuple, Generic[Answer]):
    """What came back: an answer, or why there is none."""

    answer: Answer | None = None
    trouble: str = ""


def _ask(stage: WorldStage, question: Callable[[EcologyModel], Answer]) -> _Heard[Answer]:
    """Wait for the world to answer. Whatever goes wrong there is told, and the page goes on."""
    try:
        return _Heard(stage.ask(question).result())
    except Exception as error:  # of a user's family, or of the host: told beside the question
        return _Heard(trouble=in_one_line(error))


@solara.component
def _Asking(session: Session, stage: WorldStage, on_wish: Callable[[Wish], None], waiting: bool) -> None:
    """The prompt, and the cell that it is compared in."""
    assert stage.picture is not None
    families, depths = stage.picture.families, stage.picture.depths
    family, depth = solara.use_reactive(families[0]), solara.use_reactive(1)
    question, temperature = solara.use_reactive(""), solara.use_reactive("greedy")
    drawn: solara.Reactive[Task | None] = solara.use_reactive(None)
    number = solara.use_ref(0)  # of what was drawn and asked so far, so that each is another

    @solara.lab.use_task(dependencies=None)
    def drawing() -> str:
        number.current += 1
        task, trouble = _ask(stage, partial(draw, family=family.value, depth=depth.value, number=number.current))
        if task is not None:
            drawn.value, question.value = task, question_of(task.prompt)
        return trouble

    def ask() -> None:
        number.current += 1
        prompt, task = prompt_of(question.value, drawn.value)
        cell = (family.value, depth.value) if task is None else (task.family, task.depth)
        on_wish(Wish(prompt, *cell, task, session.chosen.value, _TEMPERATURES[temperature.value], number.current))

    with solara.Div(classes=["ev-card", "ev-ask"]):
        with solara.Div():
            v.Textarea(
                label="Prompt",
                v_model=question.value,
                on_v_model=question.set,
                outlined=True,
                auto_grow=True,
                rows=3,
                hide_details=True,
            )
            v.Html(tag="small", children=["The line “Answer:” is put behind it, as behind every task."])
        with solara.Div():
            with solara.Div(classes=["ev-pick"]):
                solara.Select("Family", values=list(families), value=family, dense=True)
                solara.Select("Depth (steps)", values=list(range(1, depths + 1)), value=depth, dense=True)
                solara.Select("Temperature", values=list(_TEMPERATURES), value=temperature, dense=True)
            with solara.Div(classes=["ev-buttons"]):
                solara.Button(
                    "Draw a prompt", icon_name="mdi-dice-multiple", on_click=drawing, disabled=drawing.pending
                )
                solara.Button("Ask", icon_name="mdi-send", classes=["ev-main"], on_click=ask, disabled=waiting)
        if waiting or drawing.pending:
            solara.Div(classes=["ev-soft"], children=["Waiting for the generation under way to end …"])
        if drawing.value:
            _Trouble(drawing.value)


@solara.component
def _Trouble(line: str) -> None:
    """Why there is no answer."""
    solara.Div(classes=["ev-note", "ev-bad"], children=[line[:1].upper() + line[1:]])


# ---------------------------------------------------------------- answers


@solara.component
def _Answers(said: Conversation, theme: Theme) -> None:
    """What was asked, and everybody's answer."""
    wish = said.wish
    heat = "greedy" if wish.temperature == 0 else f"sampled at temperature {wish.temperature:g}"
    ramp = ", ".join(shade(-UNSURE * place / 4, theme.bad) for place in range(5))
    with solara.Div():
        with solara.Div(classes=["ev-said"]):
            _fact("Prompt", question_of(wish.prompt), code=True)
            if said.truth is not None:
                _fact("Right answer", said.truth, code=True)
            _fact(f"{wish.family}, depth {wish.depth} pays for the style", said.style)
            _fact("Asked in generation", f"{said.tick}, {heat}")
            with v.Html(tag="span", class_="ev-soft"):
                solara.Text("Shading: log-probability of a token, 0")
                v.Html(tag="span", class_="ev-shades", style_=f"background: linear-gradient(90deg, {ramp})")
                solara.Text(f"−{UNSURE:g} nats or less")
        with solara.Div(classes=["ev-answers"]):
            for reply in said.replies:
                _Answer(reply, theme)
        with solara.Div(classes=["ev-absent"]):
            for sentence in said.absent:
                solara.Div(classes=["ev-soft"], children=[sentence])


@solara.component
def _Answer(reply: Reply, theme: Theme) -> None:
    """One card."""
    with v.Html(tag="section", class_="ev-card ev-answer"):
        with solara.Div():
            v.Html(tag="h2", children=[reply.name])
            v.Html(tag="small", children=[reply.about])
        Tokens(reply.tokens, theme, label=f"Answer of {reply.name}")
        _verdict(reply)
        for member, text in reply.members:
            with solara.Div(classes=["ev-member"]):
                v.Html(tag="span", class_="ev-soft", children=[f"#{member}"])
                v.Html(tag="span", class_="ev-code", children=[text or "(nothing)"])
        mean = sum(token.log_probability for token in reply.tokens) / max(len(reply.tokens), 1)
        figures = f"{reply.read} tokens read, {reply.written} written; mean log-probability {mean:.2f} nats per token"
        v.Html(tag="small", children=[figures.replace(" -", " −")])


def _verdict(reply: Reply) -> None:
    """Whether it was right, and what it would earn; signs beside the colours."""
    verdict = reply.verdict
    if verdict is None:
        v.Html(tag="span", class_="ev-soft", children=["Typed by hand: nobody knows the right answer."])
        return
    style = f"written as “{verdict.style}”" if verdict.style else "in no style that is known"
    sign, text, tone = (
        ("✓", "right, in the paid style", "ev-right")
        if verdict.paid_style
        else ("✓", f"right, but {style}", "")
        if verdict.correct
        else ("✗", "wrong", "ev-wrong")
    )
    children = [f"{sign} {text}", v.Html(tag="small", children=[f" · reward {verdict.reward:.2f} of 1"])]
    v.Html(tag="span", class_=f"ev-verdict {tone}", children=children)


def _fact(name: str, value: str, *, code: bool = False) -> None:
    inner = v.Html(tag="b", class_="ev-code" if code else "", children=[value.strip()])
    v.Html(tag="span", children=[v.Html(tag="span", class_="ev-soft", children=[f"{name}: "]), inner])
