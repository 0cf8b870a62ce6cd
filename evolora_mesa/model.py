"""The world: organelles on a task grid around one frozen host."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import mesa
import numpy as np
import torch

from evolora_mesa.breeding import conceive
from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.economy import Ledger, Tariff
from evolora_mesa.evolution.archive import Archive
from evolora_mesa.evolution.history import History
from evolora_mesa.evolution.lineage import Phylogeny, genome_hash
from evolora_mesa.evolution.relief import Relief
from evolora_mesa.evolution.selection import make_selection
from evolora_mesa.evolution.traits import Traits
from evolora_mesa.evolution.tuning import Tuner
from evolora_mesa.forage import Beliefs
from evolora_mesa.gatehouse import Gatehouse
from evolora_mesa.ground import contracts_at, ground_of, open_cells
from evolora_mesa.host import HostService, Request
from evolora_mesa.hosting import check_host_fits, host_for, scratch_slots
from evolora_mesa.organelle import Organelle
from evolora_mesa.plasticity import Learner, Work, make_rule
from evolora_mesa.record.reporters import COUNTED
from evolora_mesa.record.window import Window
from evolora_mesa.season import move_families, set_prices, shift_contracts, shine
from evolora_mesa.settlement import charge, observe, pay
from evolora_mesa.snapshot import take_snapshot
from evolora_mesa.society.colonies import Colonies
from evolora_mesa.society.council import judge_colonies
from evolora_mesa.society.hints import Hints
from evolora_mesa.society.joint_work import confer, own_lessons, put_to_work
from evolora_mesa.society.joint_work import settle as settle_joint_work
from evolora_mesa.society.jury import Jury
from evolora_mesa.society.orchestrator import Orchestrator
from evolora_mesa.society.policies import Policies
from evolora_mesa.society.riders import alight, mount
from evolora_mesa.society.router import Router
from evolora_mesa.society.skills import Skills
from evolora_mesa.streams import Streams, with_seed
from evolora_mesa.tally import Event, Tally
from evolora_mesa.tasks import Pool, Task, locked_test_pool
from evolora_mesa.tasks.grid import TaskGrid
from evolora_mesa.turnover import bury, doomed, fill_empty_niches, keep_elites
from evolora_mesa.workload import Grades, Shift, Workload, grade

if TYPE_CHECKING:
    from evolora_mesa.record.recorder import Recorder

__all__ = ["EcologyModel", "host_for"]

_FIRST_SUCCESS = 0.3  # of a cell nobody has worked in: petri's own, roughly


class EcologyModel(mesa.Model):
    """A population of adapters that earn their living by answering tasks through one frozen host.

    Args:
        config: name of a shipped config, path of a YAML file, or a `WorldConfig`.
        rng: seed, a whole number from 0, which becomes `config.seed`; `None` leaves the config's. Digits as text are
            accepted, because user interfaces hand them over. Mesa's own meaning of `None`, fresh entropy, would make
            runs that nobody can repeat.
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
        open: ``[families, depths]`` bool: the cells that are worked in, which are those of families that are there.
        accuracy: running mean of success.
        totals: counts since the founding, by the names of their reporters.
        events: what happened in this generation: kind, organelle or `None`, and facts.
        last_work: of this generation, for whoever records it; `None` before the first.
        recorder: writes every generation down, if there is one.
        snapshot: immutable picture of the world after the last generation.
    """

    def __init__(
        self,
        config: str | WorldConfig = "ecology",
        *,
        rng: int | np.integer | str | None = None,
        host: HostService | None = None,
        **kwargs: object,
    ) -> None:
        self.config = load_config(config, with_seed(kwargs, rng))
        super().__init__(rng=self.config.seed)
        self.tick = 0
        self.events: list[Event] = []
        self.streams = Streams(self.config.seed)
        self.weights_generator = torch.Generator().manual_seed(self.streams.integer("weights"))
        self.host = host if host is not None else host_for(self.config)
        check_host_fits(self.config, self.host)
        self._build_ground()
        self._build_population()
        self._build_evolution()
        self.accuracy = float("nan")  # nothing was answered yet
        self.tally = Tally()
        self.totals: Counter[str] = Counter()
        self.last_work: Shift | None = None
        self.recorder: Recorder | None = None
        self.datacollector = Window(self.config.record.memory)
        self.record()

    # ------------------------------------------------------------------ building

    def _build_ground(self) -> None:
        """Tasks, contracts, cells and their accounts."""
        tasks, economy = self.config.tasks, self.config.economy
        self.tasks, _ = ground_of(tasks)
        families = list(self.tasks.families)
        self.contracts = contracts_at(self.config, families, 0)
        self.open = open_cells(self.config, families, 0)
        self.grid = TaskGrid(families, tasks.depths, self.random)
        self.grid.layer("success")[:] = _FIRST_SUCCESS
        self.ledger = Ledger()
        self.sun, self.soil = self.ledger.open("sun"), self.ledger.open("soil")
        self.grant = self.ledger.open("grant")
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
        self.fast, self.slow = np.full(shape, np.nan), np.full(shape, np.nan)  # unknown until worked in
        self.payout = np.ones(shape)  # share of the claims that a cell could pay
        self.episode_cost = np.zeros(shape)

    def _build_population(self) -> None:
        """The adapter bank, what rides on its slots, and the founders."""
        config, population = self.config, self.config.population
        self.bank = self.host.new_bank(
            config.adapter.sites,
            capacity=1 + population.maximum + scratch_slots(config),
            max_rank=config.adapter.max_rank,
            scaling=config.adapter.scaling,
        )
        rule = make_rule(config.plasticity, self.host, self.bank, self.weights_generator)
        self.learner = Learner(config.plasticity, rule, self.bank, len(self.grid.families))
        self.beliefs = Beliefs(config.forage, self.bank.capacity, self.grid.layer("price").shape)
        self.hints = Hints(
            config.society, self.host.codec, self.bank.capacity, len(self.grid.families), config.forage.memory
        )
        self.policies = Policies(config.society.policy, self.bank.capacity, self.grid.families, self.grid.depths)
        self.skills = Skills(config.society.skills, self.bank)
        self.history = History(self.bank.capacity, len(self.cell_accounts), config.forage.memory)
        self.traits = Traits(
            self.bank.capacity,
            {
                "budget": config.gate.budget,
                "thrift": 1.0,
                "sociability": config.reproduction.sociability,
                "strength": config.reproduction.strength,
            },
            (config.reproduction.strength_low, config.reproduction.strength_high),
        )
        slots = self.bank.allocate(
            population.initial,
            config.adapter.rank,
            self.weights_generator,
            norm=config.adapter.initial_norm,
        )
        self.learner.reset(slots)
        self.beliefs.found(slots.numpy(), self.streams.numpy("birth"))
        self.traits.found(slots.numpy())
        homes = self.streams.numpy("forage").integers(len(self.cell_accounts), size=population.initial)
        for slot, home in zip(slots.tolist(), homes.tolist(), strict=True):
            account = self.ledger.open("organelle")
            self.ledger.transfer(self.sun, account, config.economy.endowment, "endowment")
            Organelle(self, slot=slot, account=account, cell=self.grid.cell(home))
        self.grid.count(organelle.cell for organelle in self.organelles())

    def _build_evolution(self) -> None:
        """What selects: the gate, the archive, the tuners, and the book of births and deaths."""
        config = self.config
        self.selection = make_selection(config.reproduction.selection)
        self.gatehouse = Gatehouse(config.gate.most_trials)
        self.colonies = Colonies(config.society.colonies)
        self.router = Router(config.society.router, self.beliefs.shape)
        self.orchestrator = Orchestrator(
            config.society.orchestrator,
            self.grid.families,
            self.grid.depths,
            self.streams.integer("orchestrator.words"),
        )
        self.jury = Jury(config.society.judge)
        self.tuner = Tuner(config.reproduction, config.gate, enabled=config.diversity.tuning)
        self.relief = Relief(config.diversity)
        self.archive = (
            Archive(self.bank, len(self.grid.families), self.grid.depths, config.archive.cost_edges)
            if config.archive.enabled
            else None
        )
        self.enter_founders()

    def enter_founders(self) -> None:
        """Put the founders, as they are now, on record. Nobody else has been born yet."""
        self.phylogeny, self.events = Phylogeny(), []
        founders = self.organelles()
        slots = np.array([founder.slot for founder in founders])
        genomes = genome_hash(self.bank, slots.tolist(), self.traits.rows(slots))
        for founder, genome in zip(founders, genomes, strict=True):
            self.phylogeny.born(founder.unique_id, (), 0, "founder", genome, founder.lineage, "founder")
            where = list(founder.cell.coordinate)
            self.events.append(("founded", founder.unique_id, {"genome": genome, "slot": founder.slot, "cell": where}))

    # ------------------------------------------------------------------ one generation

    def step(self) -> None:
        """One generation."""
        began = time.process_time()
        self.tick += 1
        self.tally = Tally()
        self.events = []
        self.gatehouse.decisions = []
        self.ledger.begin_generation()
        with locked_test_pool():
            self.season()
            self.policies.think(self)
            cells = self.forage()
            workload = self.work(cells)
            grades = self.settle(workload)
            self.learn(workload, grades)
            self.turn_over()
        self.tally.step_seconds = time.process_time() - began
        self.record()

    def season(self) -> None:
        """Contracts may shift, families leave and come; the sun fills the pools; prices follow success and need."""
        shift_contracts(self)
        move_families(self)
        shine(self)
        set_prices(self)

    def forage(self) -> np.ndarray:
        """Everybody chooses its cells and moves to the one it chose most.

        Returns:
            ``[organelles, episodes]`` flat cell numbers; -1 for an episode that is left out.
        """
        organelles = self.organelles()
        episodes = self.config.population.episodes
        if not organelles:
            return np.zeros((0, episodes), dtype=np.int64)
        income = self.grid.layer("price") * self.payout
        slots = np.array([organelle.slot for organelle in organelles])
        cells = self.beliefs.choose(
            slots,
            income,
            self.episode_cost,
            episodes,
            self.streams.numpy("forage"),
            self.relief.factor,
            self.policies.pull(slots),
            self.open,
        )
        for organelle, chosen in zip(organelles, cells, strict=True):
            before, organelle.cell = organelle.cell, self.grid.cell(int(np.bincount(chosen).argmax()))
            if organelle.cell is not before:
                there = {"from": list(before.coordinate), "to": list(organelle.cell.coordinate)}
                self.events.append(("moved", organelle.unique_id, there))
        self.grid.count(organelle.cell for organelle in organelles)
        self.orchestrator.plan(self, organelles)
        return self.router.send(self, organelles, self.policies.within_budget(self, organelles, cells))

    def work(self, cells: np.ndarray) -> Workload:
        """One batched host call answers every task of the generation."""
        owners, places = np.nonzero(cells >= 0)
        organelles = self.organelles()
        slots = torch.tensor([organelle.slot for organelle in organelles], dtype=torch.long)[owners]
        flat = cells[owners, places]
        rng = self.streams.python("tasks.live")
        tasks = [self.draw_task(Pool.LIVE, cell, rng) for cell in flat.tolist()]
        answered_by = self.learner.stand_ins(slots) if organelles else slots  # nobody to stand in for
        answered_by = put_to_work(self, owners, flat, tasks, answered_by)
        prompts = self.hints.read(self, owners, flat, tasks)
        trace = self.learner.trace()
        first_key = self.streams.integer(f"decode.{self.tick}") >> 1
        requests = [
            Request(slot, prompt, first_key + row)
            for row, (slot, prompt) in enumerate(zip(answered_by.tolist(), prompts, strict=True))
        ]
        riders = mount(self, flat, tasks)
        requests += riders.requests(self)
        began = time.process_time()
        answers = self.host.answer(
            requests,
            self.bank,
            temperature=self.config.host.temperature,
            max_new_tokens=self.config.host.max_new_tokens,
            trace=trace if requests else None,
        )
        self.tally.host_seconds = time.process_time() - began
        answers = alight(self, riders, answers)
        return Workload(slots, owners, flat, tasks, answered_by, self.hints.completed(answers))

    def settle(self, workload: Workload) -> Grades:
        """Answers are graded; cells pay what they can; organelles pay for tokens, adapters and tickets."""
        grades = grade(workload.tasks, workload.answers.texts, self.tasks, self.contracts)
        organelles, joint = self.organelles(), confer(self, workload, grades)
        joint = self.orchestrator.deliver(self, self.router.settle(self, workload, grades, joint))
        if organelles:
            own_pay, joint_pay = pay(self, workload, grades, organelles, joint)
            self.hints.settle(self, workload, grades, own_pay)
            self.orchestrator.settle(self, organelles, joint_pay)
            charge(self, workload, organelles, joint)
            settle_joint_work(self, workload, joint_pay)
            grades = self.jury.sit(self, workload, grades)
        observe(self, workload, grades)
        ids = np.array([organelle.unique_id for organelle in organelles], dtype=np.int64)
        self.last_work = Shift(workload.without_trace(), grades, ids)  # traces are large, and nobody records them
        return grades

    def learn(self, workload: Workload, grades: Grades) -> None:
        """One batched update of the adapters and of the beliefs of everyone who worked."""
        workload, grades = own_lessons(self, workload, grades)
        if not workload.tasks:
            return
        report = self.skills.learn(
            self,
            Work(
                workload.slots,
                workload.answered_by,
                workload.cells // self.grid.depths,
                grades.lessons,
                workload.answers,
                self.config.host.temperature,
            ),
        )
        slots = workload.slots.numpy()
        self.beliefs.learn(slots, workload.cells, grades.rewards, grades.success)
        self.history.add(slots, workload.cells, grades.success, workload.generated_tokens)
        self.tally.rolled_back, self.tally.quarantined = len(report.rolled_back), len(report.quarantined)
        names = {organelle.slot: organelle.unique_id for organelle in self.organelles()}
        self.events.append(("learned", None, {"organelles": len(names), "rows": len(workload.tasks)}))
        for kind, treated in (("rolled_back", report.rolled_back), ("quarantined", report.quarantined)):
            self.events += [(kind, names[slot], {}) for slot in treated]

    def turn_over(self) -> None:
        """The bankrupt die; children on trial are judged; others are conceived; elites are kept and come back."""
        bury(self, doomed(self))
        self.gatehouse.judge(self)
        if self.config.reproduction.enabled:
            conceive(self)
        keep_elites(self)
        fill_empty_niches(self)
        judge_colonies(self)
        self._take_stock()
        self.grid.count(organelle.cell for organelle in self.organelles())
        self.running = len(self.agents) > 0

    def _take_stock(self) -> None:
        """The tuners and the sense of standing still take in this generation."""
        tally = self.tally
        self.tuner.observe(tally.conceived, tally.refused, self.gatehouse.decisions)
        reward = tally.reward / tally.episodes if tally.episodes else None
        self.relief.observe(reward, tally.merges + tally.promotions)

    def record(self) -> None:
        """Collect this generation's figures, publish the snapshot, and have it all written down."""
        self.datacollector.collect(self)
        row = {name: values[-1] for name, values in self.datacollector.model_vars.items()}
        self.totals.update({name: row[name] for name in COUNTED})
        self.snapshot = take_snapshot(self, row)
        if self.recorder is not None:
            self.recorder.take(self)

    # ------------------------------------------------------------------ looking

    def draw_task(self, pool: Pool, cell: int, rng: random.Random) -> Task:
        """A task of a flat ``cell`` number."""
        family, depth = divmod(cell, self.grid.depths)
        return self.tasks.draw(pool, self.grid.families[family], depth + 1, rng)

    def organelles(self) -> list[Organelle]:
        """Everyone alive, oldest first."""
        return sorted(self.agents, key=lambda organelle: organelle.unique_id)
