"""The world: organelles on a task grid around one frozen host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import mesa
import numpy as np
import torch
from mesa import DataCollector

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.economy import Ledger, Tariff, half_success_price, settle_claims
from evolora_mesa.errors import ConfigError
from evolora_mesa.forage import Beliefs
from evolora_mesa.ground import ground_of
from evolora_mesa.host import HostService, Request
from evolora_mesa.organelle import Organelle
from evolora_mesa.plasticity import Learner, Work, make_rule
from evolora_mesa.record.reporters import AGENT_REPORTERS, MODEL_REPORTERS, TABLES
from evolora_mesa.snapshot import take_snapshot
from evolora_mesa.streams import Streams
from evolora_mesa.tasks import Pool, locked_test_pool
from evolora_mesa.tasks.grid import TaskGrid
from evolora_mesa.turnover import bear, bury
from evolora_mesa.workload import Grades, Workload, grade

__all__ = ["EcologyModel", "Tally", "host_for"]

_FIRST_SUCCESS = 0.3  # of a cell nobody has worked in: petri's own, roughly
_ACCURACY_MEMORY = 0.9
_ROUNDING = 1e-6  # energy: one quantum of the ledger
_FAST, _SLOW = 0.3, 0.05  # rates of the averages whose gap is a cell's learning progress


@dataclass
class Tally:
    """Counts and sums of one generation."""

    episodes: int = 0
    succeeded: int = 0
    reward: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    births: int = 0
    deaths: int = 0
    rolled_back: int = 0
    quarantined: int = 0
    host_seconds: float = 0.0
    step_seconds: float = 0.0


def host_for(config: WorldConfig) -> HostService:
    """The host that a world's settings ask for.

    Raises:
        HostError: the host cannot be loaded.
    """
    host = config.host
    return HostService.load(
        host.path,
        device=host.device,
        dtype=host.dtype,
        threads=host.threads,
        tuned=host.tune_cpu,
        stop_at_newline=host.stop_at_newline,
        random_weights=host.random_weights,
        max_rows=host.max_rows,
        memory_mb=host.memory_mb,
    )


def _check_answers_fit(config: WorldConfig, service: HostService) -> None:
    """Refuse answers that leave no room for a prompt, before anything is written."""
    longest = service.host.longest
    if longest is not None and config.host.max_new_tokens >= longest:
        raise ConfigError(
            "answers are longer than the host can read",
            where="host.max_new_tokens",
            expected=f"less than {longest}",
            got=config.host.max_new_tokens,
        )


class EcologyModel(mesa.Model):
    """A population of adapters that earn their living by answering tasks through one frozen host.

    Args:
        config: name of a shipped config, path of a YAML file, or a `WorldConfig`.
        rng: seed; `None` takes the config's. Text is accepted, because user interfaces hand it over.
        host: a loaded host to share between worlds; by default the config's is loaded.
        **kwargs: single settings over the config, by dotted name: ``**{"economy.ticket": 0.3}``. Mesa's user
            interface looks for the name `kwargs` before it hands over parameters that the signature lacks.

    Raises:
        ConfigError: an unknown setting, a value out of range, or settings that contradict each other.
        HostError: the host cannot be loaded.

    Attributes:
        tick: generations lived.
        ledger: who owns how much energy.
        bank: the adapters' weights.
        beliefs: what each organelle thinks of each cell.
        accuracy: running mean of success.
        snapshot: immutable picture of the world after the last generation.
    """

    def __init__(
        self,
        config: str | WorldConfig = "ecology",
        *,
        rng: int | str | None = None,
        host: HostService | None = None,
        **kwargs: object,
    ) -> None:
        self.config = load_config(config, kwargs)
        seed = self.config.seed if rng in (None, "") else int(rng)
        super().__init__(rng=seed)
        self.tick = 0
        self.streams = Streams(seed)
        self._generator = torch.Generator().manual_seed(self.streams.integer("weights"))
        self.host = host if host is not None else host_for(self.config)
        _check_answers_fit(self.config, self.host)
        self._build_ground()
        self._build_population()
        self.accuracy = float("nan")  # nothing was answered yet
        self.tally = Tally()
        self.datacollector = DataCollector(MODEL_REPORTERS, AGENT_REPORTERS, tables=TABLES)
        self.record()

    # ------------------------------------------------------------------ building

    def _build_ground(self) -> None:
        """Tasks, contracts, cells and their accounts."""
        tasks, economy = self.config.tasks, self.config.economy
        self.tasks, self.contracts = ground_of(tasks)
        families = list(self.tasks.families)
        self.grid = TaskGrid(families, tasks.depths, self.random)
        self.grid.layer("success")[:] = _FIRST_SUCCESS
        self.ledger = Ledger()
        self.sun, self.soil = self.ledger.open("sun"), self.ledger.open("soil")
        self.cell_accounts = np.array(
            [
                self.ledger.open("cell", f"{family}:{depth}")
                for family in families
                for depth in range(1, tasks.depths + 1)
            ]
        )
        self.tariff = Tariff(
            ticket=economy.ticket,
            prompt_token=economy.prompt_token,
            generated_token=economy.generated_token,
            adapter_kiloparameter=economy.adapter_kiloparameter,
        )
        shape = self.grid.layer("price").shape
        self._fast, self._slow = np.full(shape, np.nan), np.full(shape, np.nan)  # unknown until worked in
        self._payout = np.ones(shape)  # share of the claims that a cell could pay
        self._episode_cost = np.zeros(shape)

    def _build_population(self) -> None:
        """The adapter bank, what rides on its slots, and the founders."""
        config, population = self.config, self.config.population
        self.bank = self.host.new_bank(
            config.adapter.sites,
            capacity=1 + population.maximum + self._scratch_slots(),
            max_rank=config.adapter.max_rank,
            scaling=config.adapter.scaling,
        )
        rule = make_rule(config.plasticity, self.host, self.bank, self._generator)
        self.learner = Learner(config.plasticity, rule, self.bank, len(self.grid.families))
        self.beliefs = Beliefs(config.forage, self.bank.capacity, self.grid.layer("price").shape)
        slots = self.bank.allocate(population.initial, config.adapter.rank, self._generator)
        self.learner.reset(slots)
        self.beliefs.found(slots.numpy(), self.streams.numpy("birth"))
        homes = self.streams.numpy("forage").integers(len(self.cell_accounts), size=population.initial)
        for slot, home in zip(slots.tolist(), homes.tolist(), strict=True):
            account = self.ledger.open("organelle")
            self.ledger.transfer(self.sun, account, config.economy.endowment, "endowment")
            Organelle(self, slot=slot, account=account, cell=self.grid.cell(home))
        self.grid.count(organelle.cell for organelle in self.organelles())

    def _scratch_slots(self) -> int:
        """Slots for stand-ins of rules that perturb weights."""
        plasticity = self.config.plasticity
        return 2 * plasticity.pairs * self.config.population.maximum if plasticity.rule == "evolution_strategy" else 0

    # ------------------------------------------------------------------ one generation

    def step(self) -> None:
        """One generation."""
        began = time.process_time()
        self.tick += 1
        self.tally = Tally()
        self.ledger.begin_generation()
        with locked_test_pool():
            self.season()
            cells = self.forage()
            workload = self.work(cells)
            grades = self.settle(workload)
            self.learn(workload, grades)
            self.turn_over()
        self.tally.step_seconds = time.process_time() - began
        self.record()

    def season(self) -> None:
        """The sun fills the cells' pools up to their limit; prices follow success."""
        economy = self.config.economy
        room = np.clip(economy.pool_limit - self.ledger.balance(self.cell_accounts), 0.0, economy.inflow)
        self.ledger.transfer(self.sun, self.cell_accounts, room, "inflow")
        success = self.grid.layer("success")
        self.grid.layer("price")[:] = half_success_price(success, economy.price_low, economy.price_high)

    def forage(self) -> np.ndarray:
        """Everybody chooses its cells and moves to the one it chose most; ``[organelles, episodes]`` cell numbers."""
        organelles = self.organelles()
        episodes = self.config.population.episodes
        if not organelles:
            return np.zeros((0, episodes), dtype=np.int64)
        income = self.grid.layer("price") * self._payout
        slots = np.array([organelle.slot for organelle in organelles])
        cells = self.beliefs.choose(slots, income, self._episode_cost, episodes, self.streams.numpy("forage"))
        for organelle, chosen in zip(organelles, cells, strict=True):
            organelle.cell = self.grid.cell(int(np.bincount(chosen).argmax()))
        self.grid.count(organelle.cell for organelle in organelles)
        return cells

    def work(self, cells: np.ndarray) -> Workload:
        """One batched host call answers every task of the generation."""
        count, episodes = cells.shape
        owners = np.repeat(np.arange(count), episodes)
        organelles = self.organelles()
        slots = torch.tensor([organelle.slot for organelle in organelles], dtype=torch.long)[owners]
        flat = cells.ravel()
        rng = self.streams.python("tasks.live")
        families = self.grid.families
        tasks = [
            self.tasks.draw(Pool.LIVE, families[cell // self.grid.depths], cell % self.grid.depths + 1, rng)
            for cell in flat.tolist()
        ]
        answered_by = self.learner.stand_ins(slots) if organelles else slots  # nobody to stand in for
        trace = self.learner.trace()
        first_key = self.streams.integer(f"decode.{self.tick}") >> 1
        requests = [
            Request(slot, task.prompt, first_key + row)
            for row, (slot, task) in enumerate(zip(answered_by.tolist(), tasks, strict=True))
        ]
        began = time.process_time()
        answers = self.host.answer(
            requests,
            self.bank,
            temperature=self.config.host.temperature,
            max_new_tokens=self.config.host.max_new_tokens,
            trace=trace if requests else None,
        )
        self.tally.host_seconds = time.process_time() - began
        return Workload(slots, owners, flat, tasks, answered_by, answers)

    def settle(self, workload: Workload) -> Grades:
        """Answers are graded; cells pay what they can; organelles pay for tokens, adapters and tickets."""
        grades = grade(workload.tasks, workload.answers.texts, self.tasks, self.contracts)
        organelles = self.organelles()
        if organelles:
            self._pay(workload, grades, organelles)
            self._charge(workload, organelles)
        self._observe(workload, grades)
        return grades

    def learn(self, workload: Workload, grades: Grades) -> None:
        """One batched update of the adapters and of the beliefs of everyone who worked."""
        if not workload.tasks:
            return
        report = self.learner.learn(
            Work(
                workload.slots,
                workload.answered_by,
                workload.cells // self.grid.depths,
                grades.rewards,
                workload.answers,
                self.config.host.temperature,
            )
        )
        self.beliefs.learn(workload.slots.numpy(), workload.cells, grades.rewards, grades.success)
        self.tally.rolled_back, self.tally.quarantined = len(report.rolled_back), len(report.quarantined)

    def turn_over(self) -> None:
        """The bankrupt die; the rich bear mutated copies of themselves."""
        self.tally.deaths = bury(self, [organelle for organelle in self.organelles() if organelle.bankrupt])
        if self.config.reproduction.enabled:
            self.tally.births = bear(self, self._generator)
        self.grid.count(organelle.cell for organelle in self.organelles())
        self.running = len(self.agents) > 0

    def record(self) -> None:
        """Collect this generation's figures and publish the snapshot."""
        self.datacollector.collect(self)
        row = {name: values[-1] for name, values in self.datacollector.model_vars.items()}
        self.snapshot = take_snapshot(self, row)

    # ------------------------------------------------------------------ parts of settling

    def _pay(self, workload: Workload, grades: Grades, organelles: Sequence[Organelle]) -> None:
        """Every row claims its cell's price times its reward; a crowded pool pays all its claims pro rata."""
        price = self.grid.layer("price").ravel()
        claims = price[workload.cells] * grades.rewards
        paid = settle_claims(self.ledger.balance(self.cell_accounts), workload.cells, claims)
        accounts = np.array([organelle.account for organelle in organelles])
        self.ledger.transfer(self.cell_accounts[workload.cells], accounts[workload.owners], paid, "reward")
        earned = np.bincount(workload.owners, paid, minlength=len(organelles))
        answered = np.bincount(workload.owners, minlength=len(organelles))
        succeeded = np.bincount(workload.owners, grades.success, minlength=len(organelles))
        for place, organelle in enumerate(organelles):
            organelle.earned = float(earned[place])
            organelle.answered, organelle.succeeded = int(answered[place]), int(succeeded[place])
        claimed_by_cell = np.bincount(workload.cells, claims, minlength=price.size)
        paid_by_cell = np.bincount(workload.cells, paid, minlength=price.size)
        share = np.divide(paid_by_cell, claimed_by_cell, out=np.ones(price.size), where=claimed_by_cell > 0)
        self._payout += 0.5 * (share.reshape(self._payout.shape) - self._payout)

    def _charge(self, workload: Workload, organelles: Sequence[Organelle]) -> None:
        """The ticket first, then tokens and adapter size, as far as each can pay."""
        accounts = np.array([organelle.account for organelle in organelles])
        slots = torch.tensor([organelle.slot for organelle in organelles])
        tickets = np.full(len(organelles), self.tariff.ticket)
        bills = self.tariff.bill(
            workload.prompt_tokens,
            workload.generated_tokens,
            self.bank.parameter_counts(slots).numpy(),
            workload.owners,
        )
        paid_tickets = self.ledger.transfer(accounts, self.soil, tickets, "ticket", up_to=True)
        paid_bills = self.ledger.transfer(accounts, self.soil, bills, "living", up_to=True)
        short = paid_tickets < tickets - _ROUNDING
        for organelle, spent, unpaid in zip(
            organelles, (paid_tickets + paid_bills).tolist(), short.tolist(), strict=True
        ):
            organelle.spent = spent
            organelle.unpaid_tickets = organelle.unpaid_tickets + 1 if unpaid else 0

    def _observe(self, workload: Workload, grades: Grades) -> None:
        """Public knowledge: success, learning progress and token cost of every cell that was worked in."""
        tally, rows = self.tally, len(workload.tasks)
        tally.episodes, tally.succeeded = rows, int(grades.success.sum())
        tally.reward = float(grades.rewards.sum())
        tally.prompt_tokens = int(workload.prompt_tokens.sum())
        tally.generated_tokens = int(workload.generated_tokens.sum())
        shape = self._payout.shape
        self.grid.layer("pool")[:] = self.ledger.balance(self.cell_accounts).reshape(shape)
        if not rows:
            return
        rate = tally.succeeded / rows
        self.accuracy = rate if np.isnan(self.accuracy) else rate + _ACCURACY_MEMORY * (self.accuracy - rate)
        count = np.bincount(workload.cells, minlength=self._payout.size).reshape(shape)
        worked = count > 0

        def mean(values: np.ndarray) -> np.ndarray:
            return np.bincount(workload.cells, values, minlength=count.size).reshape(shape) / np.maximum(count, 1)

        success_here = mean(grades.success)
        success = self.grid.layer("success")
        for average, speed in (
            (success, self.config.economy.success_memory),
            (self._fast, _FAST),
            (self._slow, _SLOW),
        ):
            known = np.where(np.isnan(average), success_here, average)
            average[worked] = (known + speed * (success_here - known))[worked]
        self.grid.layer("learning_progress")[:] = np.nan_to_num(np.abs(self._fast - self._slow))
        cost = (
            self.tariff.prompt_token * workload.prompt_tokens + self.tariff.generated_token * workload.generated_tokens
        )
        self._episode_cost = np.where(worked, mean(cost), self._episode_cost)

    # ------------------------------------------------------------------ looking

    def organelles(self) -> list[Organelle]:
        """Everyone alive, oldest first."""
        return sorted(self.agents, key=lambda organelle: organelle.unique_id)
