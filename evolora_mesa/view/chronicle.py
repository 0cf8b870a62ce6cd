"""What happened, in sentences: the events of a world that somebody who looks on wants to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from evolora_mesa.tally import Event

__all__ = ["Happening", "happenings"]

_SENTENCES: Final = {  # by kind, from the facts of the event
    "accepted": "{who} passed the gate: {kind} by {operator}",
    "confined": "{who} passed the gate for its parents' cells only: {kind} by {operator}",
    "birth": "{who} was born to {parents} by {operator}, and is on trial",
    "revived": "{who} came back from the archive, as {parents} was",
    "quarantined": "{who} was put in quarantine: its weights were no longer finite",
    "season": "contracts shifted: {changed} pay for another answer style",
    "families_left": "{families} are not asked any more",
    "families_came": "{families} are asked again",
    "winter_began": "winter began: the sun gives less, until generation {until}",
    "winter_ended": "winter ended",
    "colony_founded": "colony {colony} was founded by {members}",
    "colony_joined": "{member} joined colony {colony}",
    "colony_left": "{member} left colony {colony}: {reason}",
    "colony_climbed": "colony {colony} answers through one adapter from now on ({rung})",
    "colony_dissolved": "colony {colony} is over: {reason}",
}
_DEATHS: Final = {
    "bankrupt": "{who} died bankrupt, {age} generations old",
    "replaced": "{who} gave its place to its child, {age} generations old",
}


class Happening(NamedTuple):
    """One event; ``id`` is the organelle that it befell, `None` where it befell everybody or a colony."""

    generation: int
    kind: str
    id: int | None
    text: str


def happenings(generation: int, events: Iterable[Event]) -> list[Happening]:
    """Those events of a generation that are news, in their order; a rejected child's end is told by its verdict."""
    told = []
    for kind, who, facts in events:
        sentence = _DEATHS.get(facts["cause"]) if kind == "death" else _SENTENCES.get(kind)
        if sentence is not None:
            words = {name: _in_words(value) for name, value in facts.items()}
            told.append(Happening(generation, kind, who, sentence.format_map(_Words(words, who=f"#{who}"))))
    return told


class _Words(dict[str, str]):
    """Facts by name; records of another version may lack some."""

    def __init__(self, words: Mapping[str, str], **more: str) -> None:
        super().__init__(words, **more)
        for name in ("parents", "members", "member"):
            if name in words:
                self[name] = " and ".join(f"#{number}" for number in words[name].split(", "))

    def __missing__(self, name: str) -> str:
        return "unknown"


def _in_words(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value).replace("_", " ")
