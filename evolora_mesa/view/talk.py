"""Talk: one prompt, put to the frozen host and to those who live on it, side by side.

Talking is no part of life. Nothing is drawn from the world's random streams, nobody pays or is paid, nobody learns, and
whoever is asked does not remember it: a world that was talked to goes on exactly as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.host.bank import BARE
from evolora_mesa.society.colony_gate import slots_of
from evolora_mesa.society.joint import answer_keys, choose_answers, deciders, prompt_with_message
from evolora_mesa.tasks import Task
from evolora_mesa.view.saying import Said, Token, ask_slots, room_of, tokens_of
from evolora_mesa.view.wish import Wish, cell_of, check

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.organelle import Organelle
    from evolora_mesa.society.colony import Colony

__all__ = ["Conversation", "Reply", "Verdict", "converse"]

Who = Literal["host", "chosen", "best", "colony"]

_LEAST_EPISODES: Final = 1.0  # remembered ones, for somebody to count as having worked in a cell


class Verdict(NamedTuple):
    """How an answer is graded: ``style`` is how it was written, ``reward`` in [0, 1] is what the cell would pay."""

    correct: bool
    paid_style: bool
    style: str | None
    reward: float


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        who: in which part.
        name: of whoever answered.
        about: why it was asked, in words.
        text: the answer.
        tokens: of it.
        read, written: numbers of tokens, for a colony of all of its members.
        verdict: `None` where the right answer is not known.
        organelle: its id, where it is one.
        members: ids of a colony's organelles with what each said, if it was a team that answered.
    """

    who: Who
    name: str
    about: str
    text: str
    tokens: tuple[Token, ...]
    read: int
    written: int
    verdict: Verdict | None
    organelle: int | None = None
    members: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Conversation:
    """All answers to a wish.

    Attributes:
        tick: generation in which they were given.
        wish: what was asked.
        style: that the cell pays for.
        truth: the right answer; `None` where it is not known.
        replies: the frozen host's first.
        absent: why others did not answer, in sentences.
    """

    tick: int
    wish: Wish
    style: str
    truth: str | None
    replies: tuple[Reply, ...]
    absent: tuple[str, ...]


# ---------------------------------------------------------------- asking


def converse(model: EcologyModel, wish: Wish) -> Conversation:
    """Put the wish to everybody in one host call; a colony whose best member has the last word takes a second.

    Raises:
        TaskError: the world has no such cell.
        HostError: the prompt cannot be read.
    """
    cell = cell_of(model, wish.family, wish.depth)
    check(model, wish.prompt)
    alive = {organelle.unique_id: organelle for organelle in model.organelles()}
    chosen = alive.get(wish.chosen) if wish.chosen is not None else None
    best, colony = _best(model, cell), _colony(model, cell)
    team = [] if colony is None else _answering(model, colony)
    slots = list(dict.fromkeys([BARE, *(one.slot for one in (chosen, best) if one is not None), *team]))
    heard = ask_slots(model, slots, wish.prompt, temperature=wish.temperature, stream=wish.stream)
    said = dict(zip(slots, heard, strict=True))

    replies = [_reply(model, wish, "host", "without any adapter", said)]
    if chosen is not None:
        also = ", and the best in this cell" if chosen is best else ""
        replies.append(_reply(model, wish, "chosen", f"the one that is chosen{also}", said, chosen))
    if best is not None and best is not chosen:
        replies.append(_reply(model, wish, "best", _record_of(model, best, cell), said, best))
    if colony is not None:
        replies.append(_colony_reply(model, wish, colony, cell, said))
    style = model.contracts.style(wish.family, wish.depth)
    truth = None if wish.task is None else wish.task.target
    return Conversation(model.tick, wish, style, truth, tuple(replies), _absent(model, wish, chosen, best, colony))


def _absent(
    model: EcologyModel, wish: Wish, chosen: Organelle | None, best: Organelle | None, colony: Colony | None
) -> tuple[str, ...]:
    sentences = []
    if wish.chosen is None:
        sentences.append("No organelle is chosen: click one on the World or the Lineage page to hear it here.")
    elif chosen is None:
        sentences.append(f"Organelle #{wish.chosen}, which is chosen, is no longer alive.")
    if best is None:
        sentences.append(f"Nobody alive has worked in {wish.family}, depth {wish.depth}, lately.")
    if colony is None:
        allowed = model.config.society.colonies.enabled
        sentences.append(
            "No colony has been founded yet, or none is left."
            if allowed
            else "Colonies are switched off in this world: set society.colonies.enabled to hear one."
        )
    return tuple(sentences)


def _best(model: EcologyModel, cell: int) -> Organelle | None:
    """The citizen with the best record in a cell, by Laplace's rule, so that one lucky answer is not the best."""
    citizens = [organelle for organelle in model.organelles() if not organelle.on_trial]
    slots = [organelle.slot for organelle in citizens]
    tried, wins = model.history.episodes[slots, cell], model.history.wins[slots, cell]
    if not (tried >= _LEAST_EPISODES).any():
        return None
    return citizens[int(np.where(tried >= _LEAST_EPISODES, (wins + 1) / (tried + 2), -1.0).argmax())]


def _record_of(model: EcologyModel, organelle: Organelle, cell: int) -> str:
    tried, wins = (float(counts[organelle.slot, cell]) for counts in (model.history.episodes, model.history.wins))
    return f"the best in this cell: {100 * wins / tried:.0f} % of about {tried:.0f} recent answers were paid in full"


def _colony(model: EcologyModel, cell: int) -> Colony | None:
    """The colony with the best record among those that work in the cell; where none does, among all."""
    founded = model.colonies.founded
    here = [colony for colony in founded if cell in colony.cells] or founded
    return max(here, key=lambda colony: (colony.right + 1) / (colony.tasks + 2), default=None)


def _answering(model: EcologyModel, colony: Colony) -> list[int]:
    """Bank slots: of all its members, or of the one adapter that answers for them."""
    if colony.rung == "ensemble":
        return slots_of(model, colony.members)
    assert colony.adapter is not None
    return [colony.adapter]


# ---------------------------------------------------------------- replies


def _reply(
    model: EcologyModel, wish: Wish, who: Who, about: str, said: Mapping[int, Said], organelle: Organelle | None = None
) -> Reply:
    """What one adapter says; without an organelle it is the bare host."""
    heard = said[BARE if organelle is None else organelle.slot]
    id = None if organelle is None else organelle.unique_id
    name = "Frozen host" if id is None else f"Organelle #{id}"
    verdict = _verdict(model, wish.task, heard.text)
    return Reply(who, name, about, heard.text, heard.tokens, heard.read, len(heard.tokens), verdict, id)


def _colony_reply(model: EcologyModel, wish: Wish, colony: Colony, cell: int, said: Mapping[int, Said]) -> Reply:
    """What a colony says: one of its members' answers, the one with the last word, or that of its one adapter."""
    heard = [said[slot] for slot in _answering(model, colony)]
    joint = heard[0]
    members: tuple[tuple[int, str], ...] = ()
    works = "works in this cell" if cell in colony.cells else "does not work in this cell"
    how = f"one {colony.rung} adapter for its {len(colony.members)} members"
    if colony.rung == "ensemble":
        how = f"its {len(colony.members)} members decide by {colony.mode}"
        members = tuple((member, one.text) for member, one in zip(colony.members, heard, strict=True))
        joint = _joint(model, wish, colony, cell, heard)
        if not any(joint is one for one in heard):
            heard = [*heard, joint]
    return Reply(
        "colony",
        f"Colony {colony.number}",
        f"{works}; {how}",
        joint.text,
        joint.tokens,
        sum(one.read for one in heard),
        sum(len(one.tokens) for one in heard),
        _verdict(model, wish.task, joint.text),
        members=members,
    )


def _joint(model: EcologyModel, wish: Wish, colony: Colony, cell: int, heard: list[Said]) -> Said:
    """The joint answer of a team, decided as it is at work (`society.sitting`)."""
    slots = slots_of(model, colony.members)
    beliefs = model.beliefs.success(np.array(slots)).reshape(1, len(slots), -1)[:, :, cell]  # [1, members]
    last = int(deciders(beliefs)[0])
    others = [place for place in range(len(slots)) if place != last]
    if colony.mode == "handoff" and others:
        draft = heard[_choice(heard, beliefs, others, "skill")]
        prompt = prompt_with_message(wish.prompt, draft.text)
        if tokens_of(model, prompt) <= room_of(model):
            return ask_slots(model, [slots[last]], prompt, temperature=wish.temperature, stream=wish.stream)[0]
    return heard[_choice(heard, beliefs, range(len(slots)), colony.mode)]


def _choice(heard: list[Said], beliefs: np.ndarray, places: Sequence[int], mode: AnswerMode) -> int:
    """Which of ``places`` has the answer that they decide for."""
    keys = answer_keys([[heard[place].text for place in places]])
    chances = np.array([[heard[place].log_probability for place in places]])
    return places[int(choose_answers(keys, chances, beliefs[:, list(places)], mode)[0])]


def _verdict(model: EcologyModel, task: Task | None, text: str) -> Verdict | None:
    if task is None:
        return None
    grade = model.tasks.grade(task, text)
    reward = model.contracts.reward(task, grade)
    return Verdict(grade.correct, reward.success, grade.style, reward.value)
