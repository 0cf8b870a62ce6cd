"""Hints at work: who reads what before it answers, what it pays for that, and what is written down for others.

1. `Hints.read`: between foraging and the generation's one host call, rows get a hint in their prompt where their owner
   expects it to pay. There is no further call, and the learning rule sees the prompts as they were asked.
2. `Hints.completed`: an answer is the hint's beginning with what was written behind it.
3. `Hints.settle`: readers pay, authors get their royalty, everybody learns whether reading paid, and new hints go up.

With board and cache off nothing of this costs anything: no draw, no account, no entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evolora_mesa.config_society import SocietyConfig
from evolora_mesa.host import Answers
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.board import Board
from evolora_mesa.society.hint import Hint
from evolora_mesa.society.knowledge import Knowledge
from evolora_mesa.society.readers import ALONE, WAYS, Readers
from evolora_mesa.tasks import Task
from evolora_mesa.workload import Grades, Workload

if TYPE_CHECKING:
    from evolora_mesa.host.text import TextCodec
    from evolora_mesa.model import EcologyModel

__all__ = ["Hints"]

_BOARD: Final = WAYS.index("board")
_MOST_BYTES: Final = 4  # of a character
_SPECIAL_TOKENS: Final = 4  # that a tokenizer may put around a text


class Hints:
    """Board, knowledge cache, and what readers think of them.

    Args:
        settings: of society.
        codec: of the host.
        capacity: bank slots.
        families: their number.
        memory: share of the readers' evidence that is kept per generation.

    Attributes:
        counts: ``[ways, 2]`` rows that were answered in each way of `WAYS`, and those of them paid in full; since the
            founding.
    """

    def __init__(self, settings: SocietyConfig, codec: TextCodec, capacity: int, families: int, memory: float) -> None:
        self.board, self.knowledge = Board(settings.board, codec), Knowledge(settings.knowledge, codec)
        self.readers = Readers(capacity, families, memory)
        self.counts = np.zeros((len(WAYS), 2), dtype=np.int64)
        self._shelves: dict[int, Board | Knowledge] = {
            WAYS.index(name): shelf
            for name, shelf in (("board", self.board), ("knowledge", self.knowledge))
            if shelf.settings.enabled
        }
        self._ways = np.zeros(0, dtype=np.int64)  # [rows] of this generation
        self._hints: dict[int, Hint] = {}  # by row

    # ------------------------------------------------------------------ reading

    def read(self, model: EcologyModel, owners: np.ndarray, cells: np.ndarray, tasks: Sequence[Task]) -> list[str]:
        """The prompts that are asked.

        Args:
            owners: ``[rows]`` place of each owner among the organelles.
            cells: ``[rows]`` flat cell numbers.
            tasks: one per row.
        """
        prompts = [task.prompt for task in tasks]
        self._ways, self._hints = np.full(len(tasks), ALONE), {}
        if not self._shelves or not tasks:
            return prompts
        organelles = model.organelles()
        self.readers.welcome(organelles)
        slots = np.array([organelle.slot for organelle in organelles])[owners]
        able = model.policies.reads[slots] & ~_joint(model, len(tasks))
        rows = np.flatnonzero(able)
        ids = np.array([organelle.unique_id for organelle in organelles])[owners]
        rng = model.streams.numpy("hints")
        asked = [prompts[row] for row in rows.tolist()]
        offers = {
            way: shelf.offers(ids[rows], cells[rows], asked, model.grid.depths, rng)
            for way, shelf in self._shelves.items()
        }
        self._choose(model, rows, slots[rows], cells[rows], asked, offers)
        for row, hint in self._hints.items():
            prompts[row] = hint.before(prompts[row])
        model.tally.hints_read = len(self._hints)
        return prompts

    def _choose(
        self,
        model: EcologyModel,
        rows: np.ndarray,
        slots: np.ndarray,
        cells: np.ndarray,
        asked: Sequence[str],
        offers: Mapping[int, list[Hint | None]],
    ) -> None:
        """Every row that is offered something takes what is expected to pay best."""
        costs = np.full((len(rows), len(WAYS)), np.inf)
        costs[:, ALONE] = 0.0
        for way, offered in offers.items():
            for place, hint in enumerate(offered):
                if hint is not None and _fits(model, hint.before(asked[place])):
                    costs[place, way] = self._fee(way) + model.tariff.prompt_token * hint.tokens
        choosing = np.flatnonzero(np.isfinite(costs[:, ALONE + 1 :]).any(1))
        if not len(choosing):
            return
        income = (model.grid.layer("price") * model.payout).ravel()[cells[choosing]]
        families = cells[choosing] // model.grid.depths
        rng = model.streams.numpy("hints")
        ways = self.readers.choose(slots[choosing], families, income, costs[choosing], rng)
        self._ways[rows[choosing]] = ways
        for place, way in zip(choosing.tolist(), ways.tolist(), strict=True):
            if way != ALONE and (hint := offers[way][place]) is not None:
                self._hints[int(rows[place])] = hint

    def _fee(self, way: int) -> float:
        return self._shelves[way].settings.read_price

    def completed(self, answers: Answers) -> Answers:
        """The answers with the beginnings that were read."""
        if not self._hints:
            return answers
        texts = list(answers.texts)
        for row, hint in self._hints.items():
            texts[row] = hint.completed(texts[row])
        return replace(answers, texts=texts)

    # ------------------------------------------------------------------ money and evidence

    def settle(self, model: EcologyModel, workload: Workload, grades: Grades, paid: np.ndarray) -> None:
        """Once the cells have paid, and before living is: royalties and fees, evidence, and new hints.

        Args:
            paid: ``[rows]`` energy that each answer was paid.
        """
        if not self._shelves:
            return
        organelles = model.organelles()
        self._pay_royalties(model, organelles, workload, paid)
        self._pay_fees(model, organelles, workload)
        self._tell(model, organelles, workload, grades)
        own = ~_joint(model, len(workload.tasks))
        for row, hint in self._hints.items():
            hint.paid += float(grades.rewards[row])
            hint.unpaid += 1.0 - float(grades.rewards[row])
        slots, families = workload.slots.numpy()[own], workload.cells[own] // model.grid.depths
        self.readers.learn(slots, families, self._ways[own], grades.rewards[own])
        np.add.at(self.counts, (self._ways[own], 0), 1)
        np.add.at(self.counts, (self._ways[own], 1), grades.success[own])
        for shelf in self._shelves.values():
            shelf.renew(model, workload, grades, own)

    def _pay_royalties(
        self, model: EcologyModel, organelles: Sequence[Organelle], workload: Workload, paid: np.ndarray
    ) -> None:
        """A share of what a reader of a post was paid, to the author if it lives. Readers own what they were paid."""
        alive = {organelle.unique_id: organelle for organelle in organelles}
        share = self.board.settings.royalty
        dues = [
            (organelles[workload.owners[row]], alive[hint.author], share * float(paid[row]))
            for row, hint in self._hints.items()
            if hint.author in alive and paid[row] > 0
        ]
        if not dues:
            return
        readers, authors, amounts = zip(*dues, strict=True)
        moved = model.ledger.transfer(
            np.array([reader.account for reader in readers]),
            np.array([author.account for author in authors]),
            np.array(amounts),
            "royalty",
        )
        for reader, author, amount in zip(readers, authors, moved.tolist(), strict=True):
            model.tally.fees[reader.unique_id] += amount
            author.earned += amount

    def _pay_fees(self, model: EcologyModel, organelles: Sequence[Organelle], workload: Workload) -> None:
        """Every read has its price, as far as each reader can pay."""
        fees = np.zeros(len(organelles))
        for row in self._hints:
            fees[workload.owners[row]] += self._fee(int(self._ways[row]))
        if not fees.any():
            return
        accounts = np.array([organelle.account for organelle in organelles])
        moved = model.ledger.transfer(accounts, model.soil, fees, "read", up_to=True)
        for organelle, fee in zip(organelles, moved.tolist(), strict=True):
            model.tally.fees[organelle.unique_id] += fee

    def _tell(self, model: EcologyModel, organelles: Sequence[Organelle], workload: Workload, grades: Grades) -> None:
        """Who read what, and how often it was paid in full."""
        together: dict[tuple[int, int, str], list[int]] = {}
        for row, hint in self._hints.items():
            together.setdefault((int(workload.owners[row]), int(self._ways[row]), hint.text), []).append(row)
        for (owner, way, text), rows in together.items():
            facts: dict[str, Any] = {
                "from": WAYS[way],
                "text": text,
                "rows": rows,
                "right": int(grades.success[rows].sum()),
            }
            if way == _BOARD:
                facts |= {"hint": self._hints[rows[0]].number, "author": self._hints[rows[0]].author}
            model.events.append(("read", organelles[owner].unique_id, facts))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Of board, cache and readers."""
        return {
            "board": self.board.state_dict(),
            "knowledge": self.knowledge.state_dict(),
            "readers": self.readers.state_dict(),
            "counts": self.counts.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        self.board.load_state_dict(state["board"])
        self.knowledge.load_state_dict(state["knowledge"])
        self.readers.load_state_dict(state["readers"])
        self.counts[...] = state["counts"]
        self._ways, self._hints = np.zeros(0, dtype=np.int64), {}


def _joint(model: EcologyModel, rows: int) -> np.ndarray:
    """``[rows]`` bool: those that colonies have."""
    taken = np.zeros(rows, dtype=bool)
    for shift in model.colonies.shifts:
        taken[shift.rows.ravel()] = True
    return taken


def _fits(model: EcologyModel, prompt: str) -> bool:
    """Whether the host can read a prompt and answer it."""
    longest, room = model.host.host.longest, model.config.host.max_new_tokens
    # No tokenizer makes more than a token of a byte, so most need not be tokenized twice.
    if longest is None or _MOST_BYTES * len(prompt) + _SPECIAL_TOKENS + room <= longest:
        return True
    return len(model.host.codec.encode([prompt])[0]) + room <= longest
