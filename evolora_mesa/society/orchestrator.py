"""The orchestrator: composite tasks are taken apart, their steps auctioned, and the answers handed on.

1. `Orchestrator.plan`, when everybody has chosen its cells: each step's family is guessed from the word that describes
   it, and the step is auctioned in that cell by expected profit.
2. `Orchestrator.ask`: all first steps ride in the generation's one host call.
3. `Orchestrator.deliver`: one call a round for all composites together; who is dead, or gives an answer without sense,
   is replaced by the next bidder in the next round. What the words mean is learned from the outcomes.
4. `Orchestrator.settle`: where the whole is right, the cell that each step truly belongs to pays its member; everybody
   pays for the tokens it read and wrote, right or wrong.

A composite is paid for its content: in which style its steps are answered is not asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evolora_mesa.config_society import OrchestratorConfig
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.job import Job
from evolora_mesa.society.lexicon import Lexicon
from evolora_mesa.society.matching import match_steps, match_wholes, true_cells
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.society.rounds import Waiting, ask, finish, hear
from evolora_mesa.tasks import Pool
from evolora_mesa.tasks.composite import Composite, chains_of, draw_composite
from evolora_mesa.workload import JointRows

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Orchestrator"]


class Orchestrator:
    """One world's orchestrator.

    Args:
        settings: how it works.
        families: names, in the order of the grid.
        depths: of the grid.
        seed: of the words that describe steps.

    Raises:
        TaskError: it is on, and no composite can be made of these families.

    Attributes:
        chains: that composites are made of.
        lexicon: what the words are believed to mean.
        jobs: of this generation.
        counts: ``composites`` asked so far and of them ``right``, ``steps`` answered and of them ``right_steps``,
            ``replaced`` bidders and ``tokens`` read and written.
    """

    def __init__(self, settings: OrchestratorConfig, families: Sequence[str], depths: int, seed: int) -> None:
        self.settings, self.families, self.depths = settings, tuple(families), depths
        self.chains = chains_of(families) if settings.enabled else []
        meanings = dict.fromkeys(family for chain in self.chains for family in chain)
        self.lexicon = Lexicon(list(meanings), families, seed, settings.memory)
        names = ("composites", "right", "steps", "right_steps", "replaced", "tokens")
        self.counts = dict.fromkeys(names, 0)
        self._forget_generation()

    def _forget_generation(self) -> None:
        self.jobs: list[Job] = []
        self._waiting: Waiting = []
        self._payees: list[int] = []  # a step each of the composites that are right

    # ------------------------------------------------------------------ taking apart, matching

    def plan(self, model: EcologyModel, organelles: Sequence[Organelle]) -> None:
        """In its turn, draw this generation's composites and find bidders for their steps."""
        self._forget_generation()
        settings = self.settings
        if not settings.enabled or not organelles or (model.tick - 1) % settings.every:
            return
        rng = model.streams.python("tasks.orchestrator")
        there = {self.families[family] for family in np.nonzero(model.open)[0].tolist()}
        chains = [chain for chain in self.chains if there.issuperset(chain)]
        if chains:
            composites = [
                draw_composite(model.tasks, chains, self.depths, Pool.LIVE, rng) for _ in range(settings.composites)
            ]
            self.jobs = self._matched(model, organelles, composites)

    def _matched(
        self, model: EcologyModel, organelles: Sequence[Organelle], composites: Sequence[Composite]
    ) -> list[Job]:
        if self.settings.decomposition == "monolithic":
            return match_wholes(model, organelles, composites, self.settings)
        rng = model.streams.numpy("orchestrator")
        families = [self._taken_for(composite, rng) for composite in composites]
        return match_steps(model, organelles, composites, families, self.settings)

    def _taken_for(self, composite: Composite, rng: np.random.Generator) -> list[str]:
        """The families that the steps are thought to belong to, or do."""
        true = [step.family for step in composite.steps]
        if self.settings.decomposition == "given":
            return true
        return [self.families[family] for family in self.lexicon.guess(self.lexicon.describe(true), rng).tolist()]

    # ------------------------------------------------------------------ answering

    def ask(self, model: EcologyModel, questions: Questions) -> None:
        """All first steps."""
        self._waiting = ask(model, self.jobs, questions)

    def hear(self, model: EcologyModel, replies: Replies) -> None:
        """The answers to them."""
        hear(model, self._waiting, replies)
        self._waiting = []

    def deliver(self, model: EcologyModel, joint: JointRows) -> JointRows:
        """Finish what was begun, and learn from it.

        Returns:
            ``joint``, with what the cells owe to the members of right composites behind it.
        """
        if not self.jobs:
            return joint
        finish(model, self.jobs, f"orchestrator.{model.tick}")
        self._learn()
        self._tell(model)
        account_of = {organelle.unique_id: organelle.account for organelle in model.organelles()}
        right = [job for job in self.jobs if job.success]
        due = [
            (cell, member)
            for job in right
            for cell, member in zip(true_cells(model, job.composite), job.workers, strict=True)
            if member in account_of  # who has died meanwhile is paid no more
        ]
        self._payees = [member for _, member in due]
        cells = np.array([cell for cell, _ in due], dtype=np.int64)
        accounts = np.array([account_of[member] for member in self._payees], dtype=np.int64)
        return joint.with_claims(cells, np.ones(len(due)), accounts)

    # ------------------------------------------------------------------ evidence and money

    def _learn(self) -> None:
        """What the words mean, from how the steps went, or from how the whole did."""
        if self.settings.decomposition != "learned":
            return
        seen = [(job, attempt) for job in self.jobs for attempt in job.attempts]
        words = self.lexicon.describe([job.composite.steps[attempt.step].family for job, attempt in seen])
        families = np.array([self.families.index(job.families[attempt.step]) for job, attempt in seen], dtype=np.int64)
        by_step = self.settings.credit == "step"
        right = np.array([attempt.right if by_step else job.success for job, attempt in seen], dtype=bool)
        self.lexicon.learn(words, families, right)

    def _tell(self, model: EcologyModel) -> None:
        """Every composite on record: how it was taken apart, who did what, and how that went."""
        for job in self.jobs:
            steps = [attempt.right for attempt in job.attempts]
            for name, more in (
                ("composites", 1),
                ("right", job.success),
                ("steps", len(steps)),
                ("right_steps", sum(steps)),
                ("replaced", job.replaced),
                ("tokens", job.tokens),
            ):
                self.counts[name] += int(more)
            facts = {
                "chain": [step.family for step in job.composite.steps],
                "words": [self.lexicon.word_of(step.family) for step in job.composite.steps],
                "depth": job.composite.steps[0].depth - 1,
                "taken_for": job.families,
                "members": [attempt.member for attempt in job.attempts],
                "steps": steps,
                "right": job.success,
                "replaced": job.replaced,
                "tokens": job.tokens,
            }
            model.events.append(("composite", None, facts))
        model.tally.composites = len(self.jobs)
        model.tally.composites_right = sum(job.success for job in self.jobs)

    def settle(self, model: EcologyModel, organelles: Sequence[Organelle], paid: np.ndarray) -> None:
        """Members have been paid, and pay for their tokens, as far as each can.

        Args:
            paid: ``[claims]`` energy that the cells paid for joint answers; those of composites are the last.
        """
        if not self.jobs:
            return
        by_id = {organelle.unique_id: organelle for organelle in organelles}
        for member, income in zip(self._payees, paid[len(paid) - len(self._payees) :].tolist(), strict=True):
            by_id[member].earned += income
        owed: defaultdict[int, float] = defaultdict(float)
        for job in self.jobs:
            for member, price in job.spent.items():
                owed[member] += price
        payers = [by_id[member] for member in owed if member in by_id]
        if not payers:
            return
        accounts = np.array([payer.account for payer in payers])
        prices = np.array([owed[payer.unique_id] for payer in payers])
        moved = model.ledger.transfer(accounts, model.soil, prices, "composite", up_to=True)
        for payer, fee in zip(payers, moved.tolist(), strict=True):
            model.tally.fees[payer.unique_id] += fee

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """What the words are believed to mean, and the counts."""
        return {"lexicon": self.lexicon.state_dict(), "counts": dict(self.counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        self.lexicon.load_state_dict(state["lexicon"])
        self.counts = dict(state["counts"])
        self._forget_generation()
