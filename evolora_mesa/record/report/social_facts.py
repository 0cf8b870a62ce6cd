"""What the events of a run tell of society: colonies, hints, policies, routing, composite tasks, seasons, a judge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from evolora_mesa.record.store import RunStore

__all__ = ["Change", "ColonyLife", "Composite", "Routed", "Sitting", "SocialFacts", "Work", "read_society"]


class ColonyLife(NamedTuple):
    """A colony: generations of its proposal, founding and end; `None` for what has not happened."""

    number: int
    members: tuple[int, ...]
    mode: str
    proposed: int
    founded: int | None = None
    ended: int | None = None
    reason: str = ""
    rung: str = "ensemble"


class Work(NamedTuple):
    """Joint tasks, how many were right, and how many the best member had right with as many tokens."""

    tasks: int = 0
    right: int = 0
    rival_right: int = 0
    tokens: int = 0
    rival_tokens: int = 0


class Routed(NamedTuple):
    """A task that was sent to an organelle, a colony or the host."""

    generation: int
    cell: tuple[int, int]
    kind: str
    number: int
    right: bool


class Composite(NamedTuple):
    """A composite task: steps, those taken for the right family, those that were right, and the whole."""

    generation: int
    steps: int
    recognised: int
    steps_right: int
    right: bool
    replaced: int
    tokens: int


class Change(NamedTuple):
    """A change of the world: what kind, and what changed, in words."""

    generation: int
    kind: str
    told: str


class Sitting(NamedTuple):
    """Of a judge: answers that it compared, ratings that it knew, energy that it gave, strengths of what it likes, and
    how many of the answers were written in which style."""

    generation: int
    answers: int
    ratings: int
    bonus: float
    likes: Mapping[str, float]
    styles: Mapping[str, int]


@dataclass
class SocialFacts:
    """All of it; empty where nothing of the kind happened.

    Attributes:
        colonies: by number, those that were only proposed too.
        work: of colonies, by rung.
        posted, kept: hints on the board, and paid answers in the cache.
        reads: tasks answered with a hint and those of them that were paid in full, by where it was read.
        policies: how many could be read in which way.
        adapted: updates of skill factors: generation, organelles, mean of their largest log factors.
    """

    colonies: dict[int, ColonyLife] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    posted: int = 0
    kept: int = 0
    reads: dict[str, tuple[int, int]] = field(default_factory=dict)
    policies: Counter[str] = field(default_factory=Counter)
    adapted: list[tuple[int, int, float]] = field(default_factory=list)
    routed: list[Routed] = field(default_factory=list)
    composites: list[Composite] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    sittings: list[Sitting] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values, without what did not happen."""
        told = {
            "colonies": [life._asdict() for life in self.colonies.values()],
            "colony_work": {rung: work._asdict() for rung, work in self.work.items()},
            "posted": self.posted,
            "kept": self.kept,
            "reads": {way: {"answers": rows, "right": right} for way, (rows, right) in self.reads.items()},
            "policies": dict(self.policies),
            "adapted": self.adapted,
            "routed": [sent._asdict() for sent in self.routed],
            "composites": [one._asdict() for one in self.composites],
            "changes": [change._asdict() for change in self.changes],
            "sittings": [sitting._asdict() for sitting in self.sittings],
        }
        return {name: value for name, value in told.items() if value}


def read_society(store: RunStore) -> SocialFacts:
    """What the events tell; those of another version may lack facts, which then count as nothing."""
    facts = SocialFacts()
    places = ", ".join("?" * len(_TAKE))
    query = f"SELECT generation, kind, data FROM events WHERE kind IN ({places}) ORDER BY generation, sequence"
    for generation, kind, data in store.rows(query, tuple(_TAKE)):
        told = json.loads(data)
        if isinstance(told, dict):
            _TAKE[kind](facts, generation, kind, told)
    return facts


# ---------------------------------------------------------------- by kind of event


def _colony(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    number = int(told.get("colony", 0))
    life = facts.colonies.get(number) or ColonyLife(number, (), "", generation)
    life = life._replace(members=tuple(told.get("members", ())) or life.members)
    if kind in ("colony_proposed", "colony_founded"):
        life = life._replace(mode=str(told.get("mode", life.mode)))
    if kind == "colony_founded":
        life = life._replace(founded=generation)
    elif kind == "colony_climbed":
        life = life._replace(rung=str(told.get("rung", life.rung)))
    elif kind in ("colony_refused", "colony_dissolved"):
        life = life._replace(ended=generation, reason=str(told.get("reason", "")))
    facts.colonies[number] = life


def _worked(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    rung = str(told.get("rung", "ensemble"))
    before = facts.work.get(rung, Work())
    facts.work[rung] = Work(*(old + told.get(name, 0) for name, old in before._asdict().items()))


def _hint(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    if kind == "posted":
        facts.posted += 1
        return
    rows = len(told.get("rows", ()))
    if kind == "kept":
        facts.kept += rows
        return
    where = str(told.get("from", "board"))
    read, right = facts.reads.get(where, (0, 0))
    facts.reads[where] = (read + rows, right + int(told.get("right", 0)))


def _policy(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    facts.policies[str(told.get("parsed", "failed"))] += 1


def _adapted(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    facts.adapted.append((generation, int(told.get("organelles", 0)), float(told.get("strength") or 0.0)))


def _routed(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    for family, depth, taker, number, right in told.get("tasks", ()):
        facts.routed.append(Routed(generation, (family, depth), str(taker), int(number), bool(right)))


def _composite(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    chain, steps, taken_for = (told.get(name, ()) for name in ("chain", "steps", "taken_for"))
    facts.composites.append(
        Composite(
            generation,
            len(chain),
            sum(taken == family for taken, family in zip(taken_for, chain, strict=False)),
            sum(map(bool, steps)),
            bool(told.get("right")),
            int(told.get("replaced", 0)),
            int(told.get("tokens", 0)),
        )
    )


def _change(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    named = ", ".join(map(str, told.get("changed", told.get("families", ()))))
    if kind == "winter_began":
        named = f"{100 * float(told.get('inflow', 0.0)):.0f} % of the sun's energy"
    facts.changes.append(Change(generation, kind, named))


def _judged(facts: SocialFacts, generation: int, kind: str, told: dict[str, Any]) -> None:
    facts.sittings.append(
        Sitting(
            generation,
            int(told.get("answers", 0)),
            int(told.get("ratings", 0)),
            float(told.get("bonus", 0.0)),
            dict(told.get("likes", {})),
            dict(told.get("styles", {})),
        )
    )


_TAKE: Final[dict[str, Callable[[SocialFacts, int, str, dict[str, Any]], None]]] = {
    "colony_proposed": _colony,
    "colony_founded": _colony,
    "colony_refused": _colony,
    "colony_joined": _colony,
    "colony_left": _colony,
    "colony_climbed": _colony,
    "colony_dissolved": _colony,
    "colony_worked": _worked,
    "posted": _hint,
    "kept": _hint,
    "read": _hint,
    "policy": _policy,
    "adapted": _adapted,
    "routed": _routed,
    "composite": _composite,
    "season": _change,
    "families_left": _change,
    "families_came": _change,
    "winter_began": _change,
    "winter_ended": _change,
    "judged": _judged,
}
