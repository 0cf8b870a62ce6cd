"""The gate at work: it asks the prompts of all open trials in one host call, pays for them and carries verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from evolora_mesa.evolution.crossover import isolate_sites, site_weights_from_uplift
from evolora_mesa.evolution.history import main_families
from evolora_mesa.evolution.screen import aipw_uplift
from evolora_mesa.evolution.trial import Decision, Group, Reason, Trial, Verdict, decide, draw_cells
from evolora_mesa.host import BARE, Request
from evolora_mesa.organelle import Organelle
from evolora_mesa.record.reporters import TABLES
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.turnover import dismiss, poorest_parent, take_place, welcome
from evolora_mesa.workload import grade

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.nursery import Mate

__all__ = ["Gatehouse"]

_SITE_PROMPTS: Final = 8  # per parent and site, for task-aware merges
_PASSED: Final = ("accepted", "confined")
_CLEARLY: Final = 1.64  # standard errors below no uplift at which the history alone ends a trial


class Gatehouse:
    """All open trials of a world.

    Attributes:
        trials: open ones, oldest first.
        decisions: of this generation.
        observer: called with every decision before it is carried out; child and parents still have their slots.
    """

    def __init__(self, most_trials: int) -> None:
        self.trials: list[Trial] = []
        self.decisions: list[Decision] = []
        self.observer: Callable[[Decision], None] | None = None
        self._most = most_trials
        self._borrowed: set[int] = set()  # slots of parents that are no living organelle
        self._tried: dict[tuple[int, ...], int | None] = {}  # pairs: the child that passed, or none did
        self._merges: dict[tuple[int, ...], list[int]] = {}  # by two families: accepted, rejected

    def room(self) -> int:
        """Trials that may still be opened."""
        return self._most - len(self.trials)

    def has_tried(self, model: EcologyModel, one: int, other: int) -> bool:
        """Whether a child of these two was rejected before, or has passed and lives, or is being tested."""
        pair = _pair(one, other)
        child = self._tried.get(pair)
        if child is not None:
            return any(organelle.unique_id == child for organelle in model.agents)
        return pair in self._tried or any(_pair(*trial.parents) == pair for trial in self.trials)

    def compatibility(self, one: int, other: int) -> float:
        """Expected share of merges between two families that pass, in (0, 1), from those that were tried."""
        accepted, rejected = self._merges.get(_pair(one, other), (0, 0))
        return (1 + accepted) / (2 + accepted + rejected)

    # ------------------------------------------------------------------ slots

    def borrow_slot(self, model: EcologyModel) -> int:
        """A bank slot for an elite that is a parent."""
        slot = int(model.bank.allocate(1, 1, model.weights_generator)[0])
        self._borrowed.add(slot)
        return slot

    def keep_slots(self, slots: Sequence[int]) -> set[int]:
        """Those of the dead's ``slots`` that trials still need; they are given back with the trial."""
        needed = self._rivals() & set(slots)
        self._borrowed |= needed
        return needed

    def _rivals(self) -> set[int]:
        return {slot for trial in self.trials for slot in trial.rivals}

    def _give_back(self, model: EcologyModel) -> None:
        free = sorted(self._borrowed - self._rivals())
        if free:
            model.bank.free(free)
            self._borrowed -= set(free)

    # ------------------------------------------------------------------ one generation

    def admit(self, model: EcologyModel, trial: Trial) -> None:
        """Open a trial; without a gate its child is a citizen at once."""
        self.trials.append(trial)
        if not model.config.gate.enabled:
            nothing = float("nan")
            self._carry_out(model, Decision(trial, "accepted", "ungated", nothing, nothing, nothing, 0.0, nothing))

    def judge(self, model: EcologyModel) -> None:
        """Screen, ask, decide, and carry the verdicts out."""
        self._end_hopeless(model)
        if model.config.gate.screen:
            self._screen(model)
        paying = [trial for trial in self.trials if self._can_pay(model, trial)]
        self._ask(model, paying)
        for decision in decide(self.trials, model.tick, model.config.gate):
            if decision.verdict == "deferred" and decision.trial not in paying:
                decision = decision._replace(reason="low_energy")
            self._carry_out(model, decision)

    def close_season(self, model: EcologyModel) -> None:
        """Contracts have shifted: all trials end, and what failed before may be tried again."""
        for trial in list(self.trials):
            self._end(model, trial, "rejected", "season")
        self._tried = {pair: child for pair, child in self._tried.items() if child is not None}
        self._merges.clear()

    def refuse(self, model: EcologyModel, parent: Organelle, reason: Reason) -> None:
        """Put on record why a parent that was chosen bears no child."""
        model.tally.refused[reason] = model.tally.refused.get(reason, 0) + 1
        row = dict.fromkeys(TABLES["gates"])
        row |= {"generation": model.tick, "parents": str(parent.unique_id), "verdict": "refused", "reason": reason}
        model.datacollector.add_table_row("gates", row)
        model.events.append(("refused", parent.unique_id, {"reason": reason}))

    def _end_hopeless(self, model: EcologyModel) -> None:
        """End trials whose child is dead, or has nobody left whose place it could take."""
        alive = {organelle.unique_id for organelle in model.agents}
        fixed = model.config.population.roster == "fixed"
        for trial in list(self.trials):
            if alive.isdisjoint(trial.parents if fixed else (trial.child,)):
                self._end(model, trial, "rejected", "no_place" if fixed else "child_died")

    def _screen(self, model: EcologyModel) -> None:
        """End trials whose child already does clearly worse than a parent in the work that both were paid for."""
        history, beliefs = model.history, model.beliefs
        for trial in list(self.trials):
            if not history.episodes[trial.slot].any():
                continue
            weights = np.zeros(history.episodes.shape[1])
            for focus in trial.focus:
                weights[focus] += 1 / (len(trial.focus) * len(focus))
            rivals = list(trial.rivals)
            child = np.full(len(rivals), trial.slot)
            uplift = aipw_uplift(
                history.episodes[child],
                history.wins[child],
                history.episodes[rivals],
                history.wins[rivals],
                weights,
                beliefs.success(child).reshape(len(rivals), -1),
                beliefs.success(np.array(rivals)).reshape(len(rivals), -1),
            )
            if (uplift.mean + _CLEARLY * uplift.standard_error < 0).any():
                self._end(model, trial, "rejected", "screen_failed")

    # ------------------------------------------------------------------ prompts

    def _can_pay(self, model: EcologyModel, trial: Trial) -> bool:
        """Whether the next prompts can be paid; the grant fund helps a trial that looks promising."""
        needed = model.tuner.window * (1 + len(trial.rivals)) * self._row_price(model)
        missing = needed - model.ledger.balance(trial.account)
        promising = not trial.uplift <= -model.config.gate.least_effect  # also before the first prompt
        if missing > 0 and promising and model.ledger.balance(model.grant) >= missing + 1e-6:
            model.ledger.transfer(model.grant, trial.account, missing + 1e-6, "grant")
            missing = 0.0
        return missing <= 0

    def _row_price(self, model: EcologyModel) -> float:
        """What an answer to a gate prompt is expected to cost."""
        known = model.episode_cost[model.episode_cost > 0]
        return model.config.gate.price * float(known.mean()) if known.size else 0.0

    def _ask(self, model: EcologyModel, trials: Sequence[Trial]) -> None:
        """One host call: every child and its parents answer the same fresh prompts, greedily."""
        drawn: list[tuple[np.ndarray, np.ndarray] | None] = []
        tasks: list[Task] = []
        slots: list[int] = []
        owners: list[int] = []
        rng, python = model.streams.numpy("gate"), model.streams.python("tasks.gate")
        for place, trial in enumerate(trials):
            groups = trial.needs(len(self.trials), model.config.gate)
            if not groups:
                drawn.append(None)
                continue
            groups_cells = draw_cells(trial, model.tuner.window, groups, rng)
            drawn.append(groups_cells)
            asked = [model.draw_task(Pool.GATE, cell, python) for cell in groups_cells[1].tolist()]
            for slot in (trial.slot, *trial.rivals):
                tasks += asked
                slots += [slot] * len(asked)
                owners += [place] * len(asked)
        if not tasks:
            return
        success, price = self._answer(model, tasks, slots)
        owner = np.array(owners)
        for place, trial in enumerate(trials):
            questions = drawn[place]
            if questions is None:
                continue
            mine = owner == place
            results = success[mine].reshape(1 + len(trial.rivals), -1)
            trial.absorb(*questions, results[0], results[1:])
            due = np.array([price[mine].sum()])
            paid = model.ledger.transfer(np.array([trial.account]), model.soil, due, "gate", up_to=True)
            trial.energy += float(paid[0])

    def weigh_sites(self, model: EcologyModel, mates: Sequence[Mate]) -> torch.Tensor:
        """``[1, 2, sites]`` weights of the parents' sites, by what each site alone gains over the bare host in its
        parent's own cells, on gate prompts that the first parent pays."""
        sites, python = len(model.bank.sites), model.streams.python("tasks.gate")
        scratch = model.bank.allocate(2 * sites, 1, model.weights_generator)
        isolate_sites(model.bank, torch.tensor([mate.slot for mate in mates]), scratch)
        tasks, slots = [], []
        for place, mate in enumerate(mates):
            cells = mate.focus[np.arange(_SITE_PROMPTS) % mate.focus.size]
            asked = [model.draw_task(Pool.GATE, cell, python) for cell in cells.tolist()]
            for slot in (BARE, *scratch[place * sites : (place + 1) * sites].tolist()):
                tasks += asked
                slots += [slot] * len(asked)
        success, price = self._answer(model, tasks, slots)
        model.bank.free(scratch)
        payer = next(mate.organelle for mate in mates if mate.organelle is not None)
        model.ledger.transfer(np.array([payer.account]), model.soil, np.array([price.sum()]), "gate", up_to=True)
        rate = torch.from_numpy(success.reshape(2, 1 + sites, _SITE_PROMPTS).mean(2)).float()
        return site_weights_from_uplift((rate[:, 1:] - rate[:, :1])[None])

    def _answer(
        self, model: EcologyModel, tasks: Sequence[Task], slots: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Greedy answers of one host call: success and price, ``[rows]`` each."""
        answers = model.host.answer(
            [Request(slot, task.prompt) for slot, task in zip(slots, tasks, strict=True)],
            model.bank,
            max_new_tokens=model.config.host.max_new_tokens,
        )
        read = np.array([len(tokens) for tokens in answers.prompts])
        written = np.array([len(tokens) for tokens in answers.tokens])
        model.tally.gate_rows += len(tasks)
        model.tally.gate_tokens += int(read.sum() + written.sum())
        tariff = model.tariff
        price = model.config.gate.price * (tariff.prompt_token * read + tariff.generated_token * written)
        return grade(tasks, answers.texts, model.tasks, model.contracts).success, price

    # ------------------------------------------------------------------ verdicts

    def _carry_out(self, model: EcologyModel, decision: Decision) -> None:
        decision = self._feasible(model, decision)
        trial = decision.trial
        self._record(model, decision)
        if self.observer is not None:
            self.observer(decision)
        if decision.verdict == "deferred":
            return
        self.trials.remove(trial)
        passed = decision.verdict in _PASSED
        child = next((organelle for organelle in model.agents if organelle.unique_id == trial.child), None)
        if passed and child is None:
            leaving = poorest_parent(model, trial)
            assert leaving is not None
            child = take_place(model, trial, leaving)
        facts = {"kind": trial.kind, "operator": trial.operator, "reason": decision.reason}
        model.events.append((decision.verdict, trial.child, facts))
        if len(trial.focus) > 1 and trial.prompts.any():
            cells = np.zeros((len(trial.focus), len(model.cell_accounts)), dtype=bool)
            for parent, focus in enumerate(trial.focus):
                cells[parent, focus] = True
            homes = _pair(*main_families(cells, model.grid.depths))
            self._merges.setdefault(homes, [0, 0])[not passed] += 1
        if len(trial.parents) > 1 and decision.reason != "child_died":
            self._tried[_pair(*trial.parents)] = trial.child if passed else None
        if passed:
            assert child is not None
            welcome(model, child, trial, confined=decision.verdict == "confined")
        else:
            dismiss(model, child, trial)
        self._give_back(model)

    def _feasible(self, model: EcologyModel, decision: Decision) -> Decision:
        """The decision, unless it lets a child pass in a way that this world has not."""
        if decision.verdict == "confined" and model.config.forage.routing == "uniform":
            return decision._replace(verdict="rejected", reason="cannot_confine")
        fixed = model.config.population.roster == "fixed"
        if fixed and decision.verdict in _PASSED and poorest_parent(model, decision.trial) is None:
            return decision._replace(verdict="rejected", reason="no_place")
        return decision

    def _end(self, model: EcologyModel, trial: Trial, verdict: Verdict, reason: Reason) -> None:
        low, high = trial.interval(model.config.gate.alpha)
        self._carry_out(
            model, Decision(trial, verdict, reason, trial.uplift, low, high, trial.log_evidence(), float("nan"))
        )

    def _record(self, model: EcologyModel, decision: Decision) -> None:
        self.decisions.append(decision)
        trial = decision.trial
        model.datacollector.add_table_row(
            "gates",
            {
                "generation": model.tick,
                "child": trial.child,
                "kind": trial.kind,
                "operator": trial.operator,
                "parents": " ".join(map(str, trial.parents)),
                "prompts": int(trial.prompts[Group.FOCUS]),
                "uplift": decision.uplift,
                "low": decision.low,
                "high": decision.high,
                "log_e": decision.log_e,
                "power": decision.power,
                "energy": round(trial.energy, 6),
                "verdict": decision.verdict,
                "reason": decision.reason,
            },
        )

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Open trials, borrowed slots, and what is known of pairs."""
        return {
            "trials": [trial.state_dict() for trial in self.trials],
            "borrowed": sorted(self._borrowed),
            "tried": [[*pair, child] for pair, child in sorted(self._tried.items())],
            "merges": [[*families, *tried] for families, tried in sorted(self._merges.items())],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        self.trials = [Trial.from_state(trial) for trial in state["trials"]]
        self.decisions = []
        self._borrowed = set(state["borrowed"])
        self._tried = {(one, other): child for one, other, child in state["tried"]}
        self._merges = {(one, other): tried for one, other, *tried in state["merges"]}


def _pair(*ids: int) -> tuple[int, ...]:
    return tuple(sorted(ids))
